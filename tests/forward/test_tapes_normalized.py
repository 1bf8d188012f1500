"""What an upstream gets of each recorded session: the same attributes whichever CLI it was."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from aimond.core.event import ModelCallFinished
from aimond.forward import mapping as m
from aimond.forward.attributes import Attributes
from aimond.forward.costs import usage
from aimond.forward.private import scrubbed
from tests.forward import normal
from tests.recorded import PATHS, heard, name

GOLDEN = Path(__file__).parent / "golden"
CHOSEN = (
    "claude/2.0.76/tooltraces",
    "claude/2.1.330/subagent",
    "claude/2.1.330/error500",
    "codex/0.80.0/custom_newcfg",
    "codex/0.169.0/custom_hooks",
    "codex/0.169.0/error401",
    "gemini/0.21.3/text-http",
    "gemini/0.61.0/tui-steps",
    "gemini/0.61.0/err400",
)
KINDS = {"LLM", "TOOL", "AGENT", "CHAIN"}
CLASSES = {"auth", "rate_limit", "timeout", "server", "_OTHER"}


def told(path: Path) -> list[dict[str, object]]:
    """What is added to records, without the internal spans of Codex, each kind of record with its values."""
    rows = normal.added(normal.native(path), normal.normalized(path))
    return [row for row in rows if row.get(m.KIND) != "CHAIN" or "codex" not in str(path)]


@pytest.mark.parametrize("path", [path for path in PATHS if name(path) in CHOSEN], ids=name)
def test_a_tape_is_normalized_as_is_written_down(path: Path) -> None:
    golden = GOLDEN / f"{name(path).replace('/', '-')}.json"
    assert told(path) == json.loads(golden.read_text()), f"{golden.name}: tools/gen_golden.py writes it anew"


def calls(path: Path, signal: str) -> Iterator[Attributes]:
    """Records of that signal that stand for a call."""
    for of, _, _, attributes in normal.records(normal.normalized(path)):
        if of == signal and attributes.get(m.KIND) == "LLM":
            yield attributes


@pytest.mark.parametrize("path", PATHS, ids=name)
def test_every_record_that_matters_has_its_session_and_kind(path: Path) -> None:
    for signal, scope, message, attributes in normal.records(normal.normalized(path)):
        kind = attributes.get(m.KIND)
        if signal == "traces":
            assert kind in KINDS
        if kind in ("LLM", "TOOL", "AGENT") or (signal == "logs" and attributes.text("event.name")):
            assert attributes.text(m.SESSION) and attributes.text(m.CONVERSATION), (scope, message)
        if kind == "TOOL":
            assert attributes.text("gen_ai.tool.name") and attributes.text("tool.name")


@pytest.mark.parametrize("path", PATHS, ids=name)
def test_every_call_that_was_answered_has_model_tokens_and_cost(path: Path) -> None:
    for signal in ("logs", "traces"):
        for call in calls(path, signal):
            assert call.text(m.MODEL) and call.text(m.PROVIDER) and call.text(m.OPERATION)
            if m.ERROR in call:
                assert call.text(m.ERROR) in CLASSES and m.COST not in call
                continue
            assert call.whole(m.INPUT) is not None and call.whole(m.OUTPUT) is not None
            assert call.get(m.COST) == call.get(m.TOTAL_COST) is not None
            assert isinstance(call.get(m.ESTIMATED), bool)
            assert call.get("llm.token_count.prompt") == call.get(m.INPUT)
            total = (call.whole(m.INPUT) or 0) + (call.whole(m.OUTPUT) or 0)
            assert call.get("llm.token_count.total") == total
            assert (call.whole(m.CACHE_READ) or 0) + (call.whole(m.CACHE_WRITE) or 0) <= (call.whole(m.INPUT) or 0)
            assert (call.whole(m.REASONING) or 0) <= (call.whole(m.OUTPUT) or 0)


@pytest.mark.parametrize("path", PATHS, ids=name)
def test_the_calls_of_logs_are_those_that_the_monitor_counts(path: Path) -> None:
    counted = Counter(
        (event.session, event.model, event.usage.whole_input, event.usage.output)
        for _, event in heard(path)
        if isinstance(event, ModelCallFinished) and event.usage
    )
    forwarded: Counter[tuple[str, str, int, int]] = Counter()
    for call in calls(path, "logs"):
        used = usage(call)
        forwarded[call.text(m.SESSION), call.text(m.MODEL), used.whole_input, used.output] += 1
    assert forwarded == counted


@pytest.mark.parametrize("path", PATHS, ids=name)
def test_a_span_of_a_call_says_what_its_log_says(path: Path) -> None:
    """Spans have their session, model, tokens and price from elsewhere; a sub-agent's are not its parent's."""

    keys = [m.SESSION, m.MODEL, m.INPUT, m.OUTPUT, m.CACHE_READ]
    if "2.0.76" not in name(path):  # whose spans have no id of a request: theirs is the table's price
        keys.append(m.COST)

    def facts(call: Attributes) -> tuple[object, ...]:
        return tuple(call.get(key) for key in keys)

    spans = [facts(call) for call in calls(path, "traces") if m.ERROR not in call]
    logs = Counter(facts(call) for call in calls(path, "logs"))
    if spans and logs:
        assert Counter(spans) - logs == Counter()


@pytest.mark.parametrize("path", PATHS, ids=name)
def test_nothing_native_is_removed(path: Path) -> None:
    for row in normal.added(normal.native(path), normal.normalized(path)):
        assert row["record"]


@pytest.mark.parametrize("path", PATHS, ids=name)
def test_doing_it_twice_changes_nothing(path: Path) -> None:
    once = normal.normalized(path)
    before = [(signal, type(request).FromString(request.SerializeToString())) for signal, request in once]
    normalizer = normal.Normalizer(normal.price, privacy=False)
    for each in [normalizer.read(*request) for request in once]:
        normalizer.finish(each)
    rows = list(normal.added(before, once))
    # Internal spans of Codex that came before anything told whose they are may be known by now.
    assert [row for row in rows if len(row) > 1 and row.keys() != {"record", m.SESSION, m.CONVERSATION}] == []


@pytest.mark.parametrize("path", [path for path in PATHS if "codex/0.169" in name(path)], ids=name)
def test_without_noise_turns_calls_tools_and_failures_stay_in_one_tree(path: Path) -> None:
    def spans(*, drop_noise: bool) -> dict[bytes, tuple[str, bytes]]:
        requests = normal.normalized(path, drop_noise=drop_noise)
        return {
            message.span_id: (attributes.text(m.KIND), message.parent_span_id)
            for signal, _, message, attributes in normal.records(requests)
            if signal == "traces" and (attributes.get(m.KIND) != "CHAIN" or m.ERROR in attributes)
        }

    everything, kept = spans(drop_noise=False), spans(drop_noise=True)
    assert {key: kind for key, (kind, _) in kept.items()} == {key: kind for key, (kind, _) in everything.items()}
    left = [attributes for _, _, _, attributes in normal.records(normal.normalized(path, drop_noise=True))]
    assert all(attributes.get(m.KIND) != "CHAIN" or m.ERROR in attributes for attributes in left)


@pytest.mark.parametrize("path", PATHS, ids=name)
def test_what_is_private_stays_here(path: Path) -> None:
    from aimond.forward.failures import PRIVATE

    for _, request in normal.normalized(path, privacy=True):
        whole = request.SerializeToString()
        for key in PRIVATE:
            assert b"\x0a%c%b\x12" % (len(key), key.encode()) not in whole, key


@pytest.mark.parametrize("path", PATHS, ids=name)
def test_what_was_scrubbed_for_the_disk_arrives_as_if_it_had_not_been(path: Path) -> None:
    def scrub(signal: Any, request: Any) -> Any:
        return type(request).FromString(scrubbed(signal, "protobuf", request.SerializeToString()))

    late = normal.normalized(path, privacy=True)
    early = normal.normalized(path, scrub, privacy=True)
    assert [plain(each) for each in normal.records(early)] == [plain(each) for each in normal.records(late)]


def plain(record: tuple[str, str, Any, Attributes]) -> tuple[Any, ...]:
    """All that it says; attributes are in no order."""
    signal, scope, message, _ = record
    rest = type(message).FromString(message.SerializeToString())
    events = [(event.name, sorted(map(str, event.attributes))) for event in getattr(rest, "events", ())]
    own = sorted(map(str, rest.attributes))
    for field in ("attributes", "events"):
        if field in rest.DESCRIPTOR.fields_by_name:
            rest.ClearField(field)
    return signal, scope, own, events, str(rest)
