"""Verdicts as text for a terminal, and as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import asdict
from typing import Final

from corpus.verdict import Tally, Verdict, total

_COLUMNS: Final[dict[str, Callable[[Tally], str]]] = {
    "sessions": lambda t: f"{t.found}/{t.sessions}",
    "ghosts": lambda t: _count(t.ghosts),
    "on time": lambda t: f"{t.on_time}/{t.turns}",
    "late": lambda t: f"{t.late}+{t.news_late}" if t.news_late else _count(t.late),
    "early": lambda t: _count(t.early),
    "missed": lambda t: _count(t.missed),
    "twice": lambda t: _count(t.duplicated),
    "quiet": lambda t: f"{t.quiet}+{t.unsure}!" if t.unsure else _count(t.quiet),
    "worst": lambda t: f"{t.worst_delay:.1f}",
    "failed": lambda t: f"{t.failed_shown}/{t.failed}" + (f"+{t.false_failures}!" if t.false_failures else ""),
    "cut": lambda t: f"{t.cut}+{wrong}!" if (wrong := t.cut_completed + t.false_cuts) else _count(t.cut),
    "called": lambda t: _count(t.false_calls),
    "waits": lambda t: f"{t.waits_shown}/{t.waits}" + (f"+{t.unfounded_waits}!" if t.unfounded_waits else ""),
    "tokens": lambda t: _count(t.token_error),
    "calls": lambda t: _count(t.request_error),
    "parent": lambda t: _count(t.parents_wrong),
    "open": lambda t: _count(t.not_ended),
    "faults": lambda t: _count(t.faults),
}

LEGEND: Final = """\
sessions: found/true · on time: turns/completed turns · late: + those whose news were late · quiet: announced as quiet,
+ where the tape tells more! · worst: delay in s · failed: shown/true, + shown where nothing failed! · cut: turns,
+ called completed though cut, or cut though completed! · called: the user, for nothing · waits: shown/hooked,
+ unfounded! · tokens, calls: sums of differences · parent: wrong · open: not ended though the process exited"""


def table(verdicts: Iterable[Verdict], *, verbose: bool = False) -> str:
    """One line for each tape with its problems below, then the totals."""
    verdicts = list(verdicts)
    whole = total(verdict.tally for verdict in verdicts)
    rows = [("", "tape", *_COLUMNS)]
    rows += [("WRONG" if v.problems else "ok", v.tape, *_cells(v.tally)) for v in verdicts]
    wrong = sum(1 for verdict in verdicts if verdict.problems)
    rows.append((f"{wrong} wrong" if wrong else "ok", f"all {len(verdicts)} tapes", *_cells(whole)))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [_line(row, widths) for row in rows]
    detail = [_detail(verdict, verbose=verbose) for verdict in verdicts]
    body = [part for line, below in zip(lines[1:-1], detail, strict=True) for part in (line, *below)]
    return "\n".join((lines[0], *body, lines[-1], "", LEGEND))


def document(verdicts: Iterable[Verdict]) -> str:
    """The verdicts and their total as JSON."""
    verdicts = list(verdicts)
    whole = asdict(total(verdict.tally for verdict in verdicts))
    return json.dumps({"tapes": [asdict(verdict) for verdict in verdicts], "total": whole}, indent=1)


def _cells(tally: Tally) -> tuple[str, ...]:
    return tuple(cell(tally) for cell in _COLUMNS.values())


def _line(row: tuple[str, ...], widths: list[int]) -> str:
    words = [word.ljust(width) for word, width in zip(row[:2], widths[:2], strict=True)]
    numbers = [word.rjust(width) for word, width in zip(row[2:], widths[2:], strict=True)]
    return "  ".join((*words, *numbers)).rstrip()


def _detail(verdict: Verdict, *, verbose: bool) -> list[str]:
    notes = verdict.notes if verbose else []
    return [f"       - {problem}" for problem in verdict.problems] + [f"       . {note}" for note in notes]


def _count(number: int) -> str:
    return str(number) if number else "·"
