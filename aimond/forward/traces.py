"""Which conversation and model a Codex span belongs to: most of them do not say, the one with the tokens least of all
(openai/codex#46826; 0.169.0).

A span belongs where the nearest span above it belongs that says so, or has one below it that does; else to the only
conversation that its trace is known to have. Sub-agents share a trace with their parent, so a trace alone does not
always tell."""

from __future__ import annotations

from typing import Any, Final

from aimond.forward import mapping as m
from aimond.forward.attributes import Attributes
from aimond.forward.lately import Lately

SPANS: Final = 16_384
TRACES: Final = 1024
DEEPEST: Final = 64

Place = tuple[str, str]  # conversation and model, "" while unknown
UNKNOWN: Final[Place] = ("", "")
SEVERAL: Final = "\n"  # no id of a conversation


class Traces:
    """What is known of Codex's traces."""

    def __init__(self) -> None:
        self._above: Lately[bytes, bytes] = Lately(SPANS)
        self._own: Lately[bytes, Place] = Lately(SPANS)
        self._below: Lately[bytes, Place] = Lately(SPANS)
        self._traces: Lately[bytes, str] = Lately(TRACES)
        self._models: Lately[str, str] = Lately(TRACES)

    def learn(self, trace: bytes, attributes: Attributes) -> Place:
        """What a record that names its conversation, or its model, tells of its trace."""
        conversation, model = attributes.text(m.SESSION), attributes.text(m.MODEL)
        if conversation and trace:
            known = self._traces.get(trace) or conversation
            self._traces.put(trace, conversation if known == conversation else SEVERAL)
        if conversation and model:
            self._models.put(conversation, model)
        return conversation, model

    def learn_span(self, span: Any, attributes: Attributes) -> None:
        """The same of a span, and of those above it: but what is above a turn may be another conversation's."""
        above = span.parent_span_id
        place = self.learn(span.trace_id, attributes)
        self._above.put(span.span_id, above)
        if place != UNKNOWN:
            self._own.put(span.span_id, place)
        if place[0] and attributes.get(m.KIND) != "AGENT":
            for _ in range(DEEPEST):
                if not above or self._own.get(above) or self._below.get(above):
                    break
                self._below.put(above, place)
                above = self._above.get(above) or b""

    def place(self, span: Any, attributes: Attributes) -> None:
        """Add the conversation, and to a call its model."""
        conversation, model = self._climb(span.span_id)
        if not conversation:
            known = self._traces.get(span.trace_id) or ""
            conversation = "" if known == SEVERAL else known
        if conversation and m.SESSION not in attributes:
            attributes.set(m.SESSION, conversation)
        if attributes.get(m.KIND) == "LLM" and m.MODEL not in attributes:
            model = model or self._models.get(attributes.text(m.SESSION)) or ""
            if model:
                attributes.set(m.MODEL, model)

    def _climb(self, span: bytes) -> Place:
        conversation, model = UNKNOWN
        for _ in range(DEEPEST):
            found = self._own.get(span) or self._below.get(span) or UNKNOWN
            conversation, model = conversation or found[0], model or found[1]
            if (conversation and model) or not span:
                break
            span = self._above.get(span) or b""
        return conversation, model
