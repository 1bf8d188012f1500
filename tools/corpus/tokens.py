"""Whether the tokens and model calls of a replay are those of the tape's log records. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import combinations
from typing import Any, Final

from corpus.replayed import Replayed
from corpus.truth import Truth, Usage
from corpus.verdict import Verdict

_KINDS: Final = (
    "requests",
    "input_uncached",
    "cache_read",
    "cache_write",
    "tool_prompt",
    "output",
    "reasoning",
)


def judge(truth: Truth, replayed: Replayed, verdict: Verdict) -> None:
    """The tape's total equals that of all sessions, hidden ones too; each session has its own, and at most that of
    hidden sessions it may be served by (Codex' title threads)."""
    shown = {id_: _usage(entry) for id_, entry in replayed.sessions.items()}
    everything = total(session.usage for session in truth.sessions)
    wrong = difference(total(shown.values()), everything)
    _report("all sessions", total(shown.values()), everything, verdict)
    apart: Counter[str] = Counter()
    servants = [session.usage for session in truth.sessions if session.hidden and session.usage]
    for session in truth.visible:
        if session.id in shown:
            right = min(
                _with_some(session.usage, servants), key=lambda usage: difference(shown[session.id], usage).total()
            )
            apart += difference(shown[session.id], right)
            _report(session.id, shown[session.id], right, verdict)
    worse = wrong | apart
    verdict.tally.request_error += worse.pop("requests", 0)
    verdict.tally.token_error += worse.total()


def total(usages: Iterable[Usage]) -> Usage:
    """Usages added up, model by model."""
    whole: Usage = {}
    for usage in usages:
        for model, kinds in usage.items():
            whole[model] = whole.get(model, Counter()) + kinds
    return whole


def difference(one: Usage, other: Usage) -> Counter[str]:
    """By kind, how far two usages are apart; no model's surplus makes good another's lack."""
    apart: Counter[str] = Counter()
    for model in one.keys() | other.keys():
        left, right = one.get(model, Counter()), other.get(model, Counter())
        apart += (left - right) + (right - left)
    return apart


def _with_some(own: Usage, servants: list[Usage]) -> Iterator[Usage]:
    for number in range(len(servants) + 1):
        for some in combinations(servants, number):
            yield total((own, *some))


def _usage(entry: dict[str, Any]) -> Usage:
    usage = entry.get("usage") or {}
    return {model: +Counter({kind: counts.get(kind) or 0 for kind in _KINDS}) for model, counts in usage.items()}


def _report(who: str, shown: Usage, right: Usage, verdict: Verdict) -> None:
    for model in sorted(shown.keys() | right.keys()):
        have, want = shown.get(model, Counter()), right.get(model, Counter())
        odd = [f"{kind} {have[kind]} not {want[kind]}" for kind in _KINDS if have[kind] != want[kind]]
        if odd:
            verdict.problems.append(f"{who}: {model}: {', '.join(odd)}")
