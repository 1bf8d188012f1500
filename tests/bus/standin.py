"""Who knows the sessions, for tests of the bus: some snapshots, and the changes that lead from one to the next."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

from msgspec.structs import replace

from aimond.core.budget import Standing
from aimond.core.change import (
    AttentionNeeded,
    Change,
    DetailsChanged,
    Health,
    Reason,
    SessionAdded,
    SessionRemoved,
    StateChanged,
    Totals,
    TurnCompleted,
)
from aimond.core.forwarding import OFF, Forwarding
from aimond.core.inhibitions import Inhibitions
from aimond.core.rows import UsageRow
from aimond.core.shown import Shown
from aimond.core.snapshot import Basis, SessionSnapshot, State

NOW = 1_760_000_000_000_000
NO_HOOKS = {"Hooks": 0, "LastHook": 0}


class Standin:
    """A ``Source`` whose story the test tells."""

    def __init__(self) -> None:
        self.version = "1.2.3"
        self.used = Totals(Decimal("0.30"), Basis.REPORTED, Decimal("12.50"), 4200)
        self.telemetry = {"claude-code": Health("ok", NOW, 10, 1, ""), "codex": Health("never", 0, 0, 0, "set otel")}
        self.forwards = OFF
        self.standing: list[Standing] = []
        self.reasons: list[Reason] = []
        self.acknowledged: list[tuple[str, str]] = []
        self.focused: list[str] = []
        self.on_the_way: asyncio.Future[bool] | None = None
        self.hooks: list[tuple[str, str, dict[str, Any]]] = []
        self.inhibitions = Inhibitions()
        self.rows: list[UsageRow] = []
        self.history_error = self.config_error = ""
        self.caught_up = 0
        self._sessions = Shown()

    def catch_up(self) -> None:
        self.caught_up += 1

    async def usage(self, period: str, group: str) -> list[UsageRow]:
        if group != "agent":
            raise ValueError(f"no such group: {group}")
        return self.rows

    def add(self, session_id: str = "one", agent: str = "claude-code", **fields: Any) -> list[Change]:
        fields = {"title": "Claude Code", "started_at": NOW, "last_activity": NOW, **fields}
        return [SessionAdded(self._keep(SessionSnapshot(id=session_id, agent=agent, **fields)))]

    def details(self, session_id: str = "one", agent: str = "claude-code", **fields: Any) -> list[Change]:
        return [DetailsChanged(self._keep(replace(self._sessions[agent, session_id], **fields)))]

    def state(self, state: State, session_id: str = "one", agent: str = "claude-code", **fields: Any) -> list[Change]:
        before = self._sessions[agent, session_id]
        return [StateChanged(self._keep(replace(before, state=state, **fields)), before.state)]

    def completed(self, session_id: str = "one", agent: str = "claude-code", **fields: Any) -> list[Change]:
        fields = {
            "turn": 1,
            "duration": 3_000_000,
            "input_tokens": 900,
            "output_tokens": 80,
            "cost": Decimal("0.25"),
            "cost_basis": Basis.REPORTED,
            "evidence": "hook",
            "confidence": "exact",
            **fields,
        }
        return [TurnCompleted(self._sessions[agent, session_id], **fields)]

    def attention(self, reason: str, session_id: str = "one", agent: str = "claude-code") -> list[Change]:
        return [AttentionNeeded(self._sessions[agent, session_id], reason)]

    def remove(self, reason: str = "exited", session_id: str = "one", agent: str = "claude-code") -> list[Change]:
        return [SessionRemoved(self._gone(agent, session_id), reason)]

    def _keep(self, session: SessionSnapshot) -> SessionSnapshot:
        self._sessions.show((session.agent, session.id), session)
        return session

    def _gone(self, agent: str, session_id: str) -> SessionSnapshot:
        session = self._sessions[agent, session_id]
        self._sessions.hide((agent, session_id))
        return session

    def sessions(self) -> list[SessionSnapshot]:
        return list(self._sessions.values())

    def shown(self) -> Shown:
        return self._sessions

    def totals(self) -> Totals:
        return self.used

    def budgets(self) -> list[Standing]:
        return self.standing

    def health(self) -> dict[str, Health]:
        return self.telemetry

    def forwarding(self) -> Forwarding:
        return self.forwards

    def explain(self, agent: str, session_id: str) -> list[Reason]:
        return [reason for reason in self.reasons if (agent, session_id) in self._sessions]

    def hook(self, agent: str, payload: str, context: dict[str, Any]) -> None:
        if not payload.startswith("{"):
            raise ValueError("no payload")
        self.hooks.append((agent, payload, context))

    async def focus(self, agent: str, session_id: str) -> bool:
        self.focused.append(f"{agent}:{session_id}")
        return await self.on_the_way if self.on_the_way else session_id == "one"

    async def focus_next(self) -> bool:
        return await self.focus("claude-code", "one")

    def inhibited(self) -> bool:
        return bool(self.inhibitions)

    def inhibit(self, caller: str, application: str, reason: str) -> int:
        return self.inhibitions.add(caller)

    def uninhibit(self, caller: str, cookie: int) -> bool:
        self.inhibitions.end(caller, cookie)
        return self.inhibitions.holds(caller)

    def caller_left(self, caller: str) -> None:
        self.inhibitions.left(caller)

    def acknowledge(self, agent: str, session_id: str) -> None:
        self.acknowledged.append((agent, session_id))

    def acknowledge_all(self) -> None:
        self.acknowledged.extend(self._sessions)
