"""What the statements of alloy/aimond.alloy make of the tapes in a real collector: what aimond makes of them, less what
takes more than one record to know."""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.pipeline.conftest import collecting, post
from tests.pipeline.records import Request, described, failed_call_of_codex, stateless
from tests.pipeline.running import until
from tests.pipeline.sink import Sink, sink

GOLDEN = Path(__file__).parent / "golden"
CHOSEN = (
    "claude/2.0.76/tooltraces",
    "claude/2.1.330/error500",
    "claude/2.1.330/subagent",
    "codex/0.80.0/custom_newcfg",
    "codex/0.169.0/custom_hooks",
    "codex/0.169.0/error401",
    "gemini/0.21.3/text-http",
    "gemini/0.61.0/err400",
    "gemini/0.61.0/tui-steps",
)
Told = dict[str, list[tuple[str, dict[str, Any]]]]


def told(requests: list[Request]) -> Told:
    """All records by where they stood."""
    found: Told = defaultdict(list)
    for request in requests:
        for key, name, record in described(request):
            found[key].append((name, record))
    return {key: sorted(records, key=repr) for key, records in found.items()}


@pytest.fixture(scope="module")
def collected(tapes: dict[str, list[Request]], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    """What came out at the end."""
    everything = [request for requests in tapes.values() for request in requests]
    with sink() as upstream:

        def tap(config: dict[str, Any]) -> None:
            """Metrics end as series in Prometheus; here as they are before."""
            config["exporters"]["otlphttp/tap"] = {"endpoint": upstream.url}
            way = next(each for each in config["service"]["pipelines"].values() if _ends_as_series(each))
            config["service"]["pipelines"]["metrics/tap"] = way | {
                "processors": way["processors"][:-1],
                "exporters": ["otlphttp/tap"],
            }

        backends = {"AIMOND_TEMPO_URL": upstream.url, "AIMOND_LOKI_URL": upstream.url}
        with collecting(tmp_path_factory.mktemp("collector"), tap, **backends) as running:
            post(running.aimond, everything)
            until(lambda: len(upstream.requests) >= len(everything), "not all that was sent came out")
            assert running.complaints == []
        yield told(upstream.requests)


def _ends_as_series(way: dict[str, Any]) -> bool:
    return way["receivers"] == ["otlp/aimond"] and way["processors"][-1] == "deltatocumulative/aimond"


def test_every_record_is_what_aimond_makes_of_it(collected: Told, tapes: dict[str, list[Request]]) -> None:
    by_aimond = told([stateless(request) for requests in tapes.values() for request in requests])
    assert len(by_aimond) > 10_000
    assert collected.keys() == by_aimond.keys()
    different = {key: (by_aimond[key], collected[key]) for key in by_aimond if by_aimond[key] != collected[key]}
    assert different == {}


def test_what_was_made_alike_once_stays_as_it_is(collected: Told, tapes: dict[str, list[Request]]) -> None:
    """As in the recommended order: aimond first, without what is private, and then the statements."""
    once = [stateless(request) for requests in tapes.values() for request in requests]
    assert told([stateless(request) for request in once]) == told(once) == collected


@pytest.mark.parametrize("by", ["aimond", "the collector"])
@pytest.mark.parametrize("name", CHOSEN)
def test_a_tape_is_normalized_as_is_written_down(
    name: str, by: str, collected: Told, tapes: dict[str, list[Request]]
) -> None:
    before = told(tapes[name])
    after = collected if by == "the collector" else told([stateless(request) for request in tapes[name]])
    lines = sorted(_added(before, {key: after[key] for key in before}))
    text = "[\n" + ",\n".join(lines) + "\n]\n"
    path = GOLDEN / f"{name.replace('/', '-')}.json"
    if os.environ.get("WRITE_GOLDEN"):
        path.write_text(text)
    assert json.loads(text) == json.loads(path.read_text()), "WRITE_GOLDEN=1 writes it anew; look at what changed"


def test_a_failed_call_of_codex_has_its_class_session_and_model(tmp_path: Path, upstream: Sink) -> None:
    recorded = failed_call_of_codex()
    backends = {"AIMOND_TEMPO_URL": upstream.url, "AIMOND_LOKI_URL": upstream.url}
    with collecting(tmp_path, **backends) as running:
        post(running.aimond, [recorded])
        until(lambda: upstream.requests, "it did not come out")
    assert told(upstream.requests) == told([stateless(recorded)])
    (attributes,) = [
        record["attributes"]
        for _, name, record in described(upstream.requests[0])
        if name == "endpoint_session.stream_encoded_json_with"
    ]
    found = [attributes[key] for key in ("error.type", "gen_ai.request.model", "openinference.span.kind")]
    assert found == ["server", "gpt-5.5", "CHAIN"]
    assert attributes["session.id"] == "01a219c0-a866-73c0-8adf-e72457556e6f"


def _added(before: Told, after: Told) -> Iterator[str]:
    """Each kind of record with the attributes that it got, once; Codex's internal spans get none but their kind."""
    seen = set()
    for key in before:
        for (name, old), (_, new) in zip(before[key], after[key], strict=True):
            pairs = (
                zip(old["points"], new["points"], strict=True)
                if "points" in old
                else [(old["attributes"], new["attributes"])]
            )
            for had, has in pairs:
                gained = {each: has[each] for each in sorted(has) if had.get(each) != has[each]}
                line = json.dumps({"record": name, **gained}, ensure_ascii=False)
                if line not in seen and gained.get("openinference.span.kind") != "CHAIN":
                    seen.add(line)
                    yield line


def beside(desktop: Sink, upstream: Sink) -> dict[str, str]:
    """Where the collector sends to: a desktop, and one that stands for all the backends."""
    return {"AIMOND_TEMPO_URL": upstream.url, "AIMOND_LOKI_URL": upstream.url, "AIMOND_DESKTOP_URL": desktop.url}


def test_what_comes_in_the_other_order_reaches_the_desktop_as_it_was(
    tapes: dict[str, list[Request]], upstream: Sink, tmp_path: Path
) -> None:
    requests = tapes["gemini/0.61.0/tui-steps"]
    with sink() as desktop:
        with collecting(tmp_path, **beside(desktop, upstream)) as running:
            post(running.clis, requests)
            until(lambda: len(desktop.requests) >= len(requests), "the desktop did not get all")
            logs_and_traces = [request for request in requests if request[0] != "metrics"]
            until(lambda: len(upstream.requests) >= len(logs_and_traces), "the backends did not get all")
        assert told(desktop.requests) == told(requests)
        assert told(upstream.requests) == told([stateless(request) for request in logs_and_traces])


def test_what_comes_from_aimond_does_not_go_back_to_it(
    tapes: dict[str, list[Request]], upstream: Sink, tmp_path: Path
) -> None:
    requests = [request for request in tapes["codex/0.169.0/tui"] if request[0] != "metrics"]
    with sink() as desktop:
        with collecting(tmp_path, **beside(desktop, upstream)) as running:
            post(running.aimond, requests)
            until(lambda: len(upstream.requests) >= len(requests), "the backends did not get all")
        assert desktop.requests == []
