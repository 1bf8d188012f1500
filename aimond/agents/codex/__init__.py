"""Codex CLI: everything aimond knows of it."""

from aimond.agents.agent import Agent
from aimond.agents.codex.hooks import hook_events
from aimond.agents.codex.telemetry import NAME, PROVIDER, READERS, TITLE, TURN_SPAN, events
from aimond.core.state import Patience
from aimond.core.turn import SECOND

AGENT = Agent(
    name=NAME,
    title=TITLE,
    scopes=("codex",),
    names=("codex.",),
    spans=frozenset({TURN_SPAN}),
    metrics=frozenset(),
    read=frozenset(READERS),
    ignored=frozenset(
        {
            "codex.auth_recovery",
            "codex.startup_phase",
            "codex.turn_ttft",
            "codex.websocket_connect",
            "codex.websocket_event",
        }
    ),
    executables=frozenset({"codex", "node"}),
    programs=frozenset({"codex", "@openai/codex"}),
    shared=frozenset({"app-server"}),  # the background daemon (0.169.0)
    # Logs come within 1.0 s, spans within 5 s of a terminal; the longest pause between tries seen is 5 s (0.169.0).
    patience=Patience(
        settle=4 * SECOND,
        traced=8 * SECOND,
        unattended=8 * SECOND,
        span_lost=30 * SECOND,  # a busy machine loses the turn's span at exit, 2 times in 60
        failure=20 * SECOND,
        denies_silently=True,
        sub_agents_share_trace=True,
        prices_turns=True,
    ),
    events=events,
    hook_events=hook_events,
    provider=PROVIDER,
)
