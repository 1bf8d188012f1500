"""Claude Code: everything aimond knows of it."""

from aimond.agents.agent import Agent
from aimond.agents.claude_code.hooks import hook_events
from aimond.agents.claude_code.metering import COST_USED, PROVIDER, TOKENS_USED
from aimond.agents.claude_code.telemetry import NAME, READERS, TITLE, events
from aimond.core.state import Patience
from aimond.core.turn import SECOND

AGENT = Agent(
    name=NAME,
    title=TITLE,
    scopes=("com.anthropic.claude_code",),
    names=("claude_code.",),
    spans=frozenset({"claude_code.interaction", "claude_code.llm_request", "claude_code.tool"}),
    metrics=frozenset({"claude_code.session.count", TOKENS_USED, COST_USED}),
    read=frozenset(READERS),
    ignored=frozenset(
        {
            "api_request_body",
            "api_response_body",
            "api_retries_exhausted",
            "assistant_response",
            "compaction",
            "hook_execution_complete",
            "hook_registered",
            "permission_mode_changed",
            "plugin_loaded",
            "retention_sweep",
        }
    ),
    executables=frozenset({"claude", "node"}),
    # A binary (2.1.330, npm's and the installer's), or a script of node's that calls itself claude (2.0.76).
    programs=frozenset({"claude", "claude.exe", "@anthropic-ai/claude-code", "share/claude/versions"}),
    # Logs leave 5.0 s after the first record by default (2.1.330); retries are silent and end with an api_error.
    patience=Patience(settle=7 * SECOND, unattended=8 * SECOND, one_per_process=True),
    events=events,
    hook_events=hook_events,
    provider=PROVIDER,
)
