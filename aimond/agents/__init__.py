"""One folder per CLI. Each is found by being there: it holds an ``AGENT``."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules
from typing import Final

from aimond.agents.agent import Agent
from aimond.otlp.record import Attributes, Record

FALLBACK: Final = "genai"


def find() -> dict[str, Agent]:
    """All agents by folder name, the fallback last."""
    folders = sorted(
        (info.name for info in iter_modules(__path__) if info.ispkg), key=lambda name: (name == FALLBACK, name)
    )
    return {folder: import_module(f"{__name__}.{folder}").AGENT for folder in folders}


class Registry:
    """Which agent a record belongs to: by its scope, else by its event name; never by ``service.name`` alone, which
    users change (``OTEL_SERVICE_NAME``) and other programs inherit."""

    def __init__(self) -> None:
        self.agents: Final = tuple(find().values())
        self._by_scope: dict[str, Agent] = {}
        self._fallback: Final = self.agents[-1]

    def of(self, record: Record) -> Agent:
        """The agent that reads this record."""
        agent = self.of_scope(record.scope)
        if agent is self._fallback:
            return next((agent for agent in self.agents if agent.names and record.name.startswith(agent.names)), agent)
        return agent

    def of_scope(self, scope: str) -> Agent:
        """The agent whose scope this is, the fallback if nobody's."""
        agent = self._by_scope.get(scope)
        if agent is None:
            found = (agent for agent in self.agents if agent.scopes and scope.startswith(agent.scopes))
            agent = next(found, self._fallback)
            if len(self._by_scope) < 256:  # strangers name scopes
                self._by_scope[scope] = agent
        return agent

    def spans_wanted(self, scope: str, resource: Attributes) -> frozenset[str] | None:
        """The names of spans and metrics that somebody reads in that scope; None: all spans, and no metrics."""
        agent = self.of_scope(scope)
        return None if agent.spans is None else agent.spans | agent.metrics

    def logs_ignored(self, scope: str) -> frozenset[str]:
        """The log events of that scope that nobody reads."""
        return self.of_scope(scope).ignored

    def by_name(self, name: str) -> Agent | None:
        """The agent of that name or folder, as hook programs and tapes give it."""
        return next(
            (agent for agent in self.agents if name and name in (agent.name, agent.name.partition("-")[0])), None
        )
