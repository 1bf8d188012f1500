"""Any other CLI that follows the OpenTelemetry GenAI semantic conventions."""

from aimond.agents.agent import Agent
from aimond.agents.genai.telemetry import events
from aimond.core.state import Patience

AGENT = Agent(
    name="genai",
    title="",
    scopes=(),
    names=(),
    spans=None,
    metrics=frozenset(),
    read=frozenset(),
    ignored=frozenset(),
    executables=frozenset(),
    patience=Patience(),
    events=events,
    hook_events=lambda payload: (),
)
