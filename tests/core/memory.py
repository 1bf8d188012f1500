"""What history keeps, in plain dictionaries: the model that the real one is compared with."""

from __future__ import annotations

from dataclasses import dataclass, field

from aimond.core.ledger import BUCKET
from aimond.core.rows import CallRow, CountedRow, Past, Rows, SessionRow, TurnRow
from aimond.core.usage import NOTHING, Spent

Key = tuple[str, str]


@dataclass
class Memory:
    """All rows, the newest of each."""

    sessions: dict[Key, SessionRow] = field(default_factory=dict)
    turns: dict[tuple[str, str, int], TurnRow] = field(default_factory=dict)
    calls: dict[tuple[str, str, str], CallRow] = field(default_factory=dict)
    counted: dict[tuple[str, str, str], CountedRow] = field(default_factory=dict)

    def put(self, rows: Rows) -> None:
        for session in rows.sessions:
            self.sessions[session.agent, session.id] = session
            gone = [key for key in self.turns if key[:2] == (session.agent, session.id) and key[2] > session.turns]
            for key in gone:
                del self.turns[key]
        self.turns |= {(turn.agent, turn.session, turn.number): turn for turn in rows.turns}
        self.calls |= {(call.agent, call.session, call.key): call for call in rows.calls}
        self.counted |= {(one.agent, one.session, one.key): one for one in rows.counted}

    def past(self) -> list[Past]:
        return [self._past(key) for key in self.sessions]

    def _past(self, key: Key) -> Past:
        models: dict[str, Spent] = {}
        calls = [call for found, call in self.calls.items() if found[:2] == key]
        for call in calls:
            models[call.model] = models.get(call.model, NOTHING) + call.spent
        turns = sorted((turn for found, turn in self.turns.items() if found[:2] == key), key=lambda turn: turn.number)
        keys = [call.key for call in calls] + [found[2] for found in self.counted if found[:2] == key]
        return Past(session=self.sessions[key], turns=turns[-6:], models=models, keys=keys, calls=calls)

    def buckets(self) -> dict[int, Spent]:
        sums: dict[int, Spent] = {}
        for call in self.calls.values():
            sums[call.at // BUCKET] = sums.get(call.at // BUCKET, NOTHING) + call.spent
        return sums
