"""Gemini CLI: everything aimond knows of it."""

from aimond.agents.agent import Agent
from aimond.agents.gemini_cli.hooks import hook_events
from aimond.agents.gemini_cli.telemetry import NAME, PROVIDER, READERS, SPANS, TITLE, events
from aimond.core.snapshot import State
from aimond.core.state import Patience
from aimond.core.turn import SECOND

AGENT = Agent(
    name=NAME,
    title=TITLE,
    scopes=("gemini-cli", "gemini_cli"),
    names=("gemini_cli.",),
    spans=SPANS,
    metrics=frozenset(),
    read=frozenset(READERS),
    ignored=frozenset(
        {
            "gemini_cli.file_operation",
            "gemini_cli.ripgrep_fallback",
            "gemini_cli.startup_stats",
            "gen_ai.client.inference.operation.details",
        }
    ),
    executables=frozenset({"gemini", "node"}),
    programs=frozenset({"gemini", "@google/gemini-cli"}),
    # Logs and spans come up to 5.2 s late, retries up to 37 s apart; a tool that runs is silent, so where nothing can
    # ask, silence is no proof of an end (0.61.0).
    patience=Patience(
        settle=10 * SECOND,
        traced=12 * SECOND,
        unattended=60 * SECOND,
        rests=State.QUIET,
        failure=75 * SECOND,
        one_per_process=True,
    ),
    events=events,
    hook_events=hook_events,
    provider=PROVIDER,
    pid_key="process.pid",  # of the relaunched child, which shows the session
)
