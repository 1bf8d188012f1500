"""The exporters of Codex CLI's config.toml, `otel.exporter` and `otel.trace_exporter`. Seen in 0.169.0."""

from __future__ import annotations

import json
from typing import Any

from aimond.agents.settings import TOKEN, Wanted


def exporter(signal: str, wanted: Wanted) -> dict[str, Any]:
    """What sends that signal to aimond."""
    more = {"headers": {TOKEN: wanted.token}} if wanted.token else {}
    if not wanted.http:
        return {"otlp-grpc": {"endpoint": wanted.grpc, **more}}
    return {"otlp-http": {"endpoint": f"{wanted.http}/v1/{signal}", "protocol": "binary", **more}}


def literal(value: dict[str, Any]) -> str:
    """As it is written into the file."""
    pairs = ((key, literal(each) if isinstance(each, dict) else json.dumps(each)) for key, each in value.items())
    return f"{{ {', '.join(f'{key} = {text}' for key, text in pairs)} }}"


def endpoint(there: Any) -> str:
    """Where an exporter sends, "" if nowhere."""
    return str(_settings(there).get("endpoint", ""))


def headers(there: Any) -> str:
    """What an exporter sends along, as environment variables have it."""
    found = _settings(there).get("headers")
    return ",".join(f"{key}={each}" for key, each in found.items()) if isinstance(found, dict) else ""


def _settings(there: Any) -> dict[str, Any]:
    settings = next(iter(there.values()), None) if isinstance(there, dict) else None
    return settings if isinstance(settings, dict) else {}
