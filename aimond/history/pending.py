"""Rows that are still to be written, merged: what a later row replaces is forgotten, and there are never too many."""

from __future__ import annotations

from typing import Any, Final

from aimond.core.rows import CallRow, CountedRow, CrossedRow, Rows, SessionRow, TurnRow

# Rows of each kind. Beyond that the oldest are given up, one by one; a call takes about 800 bytes.
MOST: Final = 50_000
# Of a session the newest ones; of sessions a tenth of MOST.
_TURNS: Final = 256

Who = tuple[str, str]


class Pending:
    """What has been put and is not written yet. Writing it comes to the same as writing each of its parts in order."""

    def __init__(self, most: int = MOST) -> None:
        self.sessions: dict[Who, SessionRow] = {}
        # The fewest turns that a session had meanwhile: those above are no more, even if new ones took their numbers.
        self.cuts: dict[Who, int] = {}
        self.turns: dict[Who, dict[int, TurnRow]] = {}
        self.calls: dict[tuple[str, str, str], CallRow] = {}
        self.counted: dict[tuple[str, str, str], CountedRow] = {}
        self.crossed: dict[CrossedRow, None] = {}
        self.lost = 0
        self._most = most

    def __bool__(self) -> bool:
        return bool(self.sessions or self.turns or self.calls or self.counted or self.crossed)

    def add(self, rows: Rows) -> None:
        """Rows that came later than all others here."""
        for session in rows.sessions:
            who = (session.agent, session.id)
            self._newest(self.sessions, who, session)
            self._cut(who, session.turns)
        for turn in rows.turns:
            self._turn((turn.agent, turn.session), turn)
        calls = self.calls
        for call in rows.calls:
            key = (call.agent, call.session, call.key)
            calls.pop(key, None)
            calls[key] = call
        for counted in rows.counted:
            self._newest(self.counted, (counted.agent, counted.session, counted.key), counted)
        self.crossed |= dict.fromkeys(rows.crossed)
        self._bound()

    def merge(self, later: Pending) -> None:
        """All of another one, which came later."""
        for who, session in later.sessions.items():
            self._newest(self.sessions, who, session)
        for who, turns in later.cuts.items():
            self._cut(who, turns)
        for who, of_session in later.turns.items():
            for turn in of_session.values():
                self._turn(who, turn)
        for key, call in later.calls.items():
            self._newest(self.calls, key, call)
        for key, counted in later.counted.items():
            self._newest(self.counted, key, counted)
        self.crossed |= later.crossed
        self.lost += later.lost
        self._bound()

    def parts(self) -> list[Pending]:
        """The same, each row by itself: to find the one that cannot be written."""
        alone: list[Rows] = [Rows(sessions=[row]) for row in self.sessions.values()]
        alone += (Rows(turns=[row]) for of_session in self.turns.values() for row in of_session.values())
        alone += (Rows(calls=[row]) for row in self.calls.values())
        alone += (Rows(counted=[row]) for row in self.counted.values())
        alone += (Rows(crossed=[row]) for row in self.crossed)
        parts = []
        for rows in alone:
            part = Pending()
            part.add(rows)
            part.cuts = {who: self.cuts[who] for who in part.cuts}
            parts.append(part)
        return parts

    def _newest(self, rows: dict[Any, Any], key: Any, row: Any) -> None:
        rows.pop(key, None)
        rows[key] = row

    def _turn(self, who: Who, turn: TurnRow) -> None:
        of_session = self.turns.setdefault(who, {})
        of_session[turn.number] = turn
        if len(of_session) > _TURNS:
            del of_session[min(of_session)]

    def _cut(self, who: Who, turns: int) -> None:
        self.cuts[who] = min(turns, self.cuts.get(who, turns))
        of_session = self.turns.get(who, {})
        for number in [number for number in of_session if number > turns]:
            del of_session[number]

    def _bound(self) -> None:
        few = max(1, self._most // 10)
        bounds = {few: (self.sessions, self.turns, self.crossed), self._most: (self.calls, self.counted)}
        for rows, most in [(rows, most) for most, kinds in bounds.items() for rows in kinds]:
            while len(rows) > most:
                gone: Any = next(iter(rows))
                del rows[gone]
                if rows is self.sessions:
                    self.cuts.pop(gone, None)
                self.lost += rows is self.calls
