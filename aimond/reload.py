"""What a change of config.toml asks for while the monitor runs: most keys are taken at once, some need a restart."""

from __future__ import annotations

from typing import Any, Final

from aimond.config import Config
from aimond.sections import Forward

# Where it listens is settled when it starts: a socket that moved would be unknown to the CLIs. History is read
# then, and what was spent of budgets; what forwards is a process of its own.
AT_START: Final = frozenset(
    {
        "otlp.http",
        "otlp.http_port",
        "otlp.grpc",
        "otlp.grpc_port",
        "otlp.connections",
        "otlp.bind",
        "otlp.tls_cert",
        "otlp.tls_key",
        "otlp.token",
        "otlp.token_file",
        "otlp.allow_other_users",
        "hooks.socket",
        "sway.enabled",
        "prices.update",
        "budget",
        "session.notify_cost",
        "history.enabled",
        "history.keep_days",
        "history.max_size_mb",
        *(f"forward.{key}" for key in Forward.model_fields),
    }
)


def changed(before: Config, after: Config) -> list[str]:
    """The keys that differ, as ``table.key``."""
    old, new = _leaves(before.model_dump()), _leaves(after.model_dump())
    return sorted(key for key in old.keys() | new.keys() if old.get(key) != new.get(key))


def _leaves(tables: dict[str, Any]) -> dict[str, Any]:
    """By ``table.key``; a list of tables, such as ``[[budget]]``, is one value."""
    keys = {
        f"{table}.{key}": of
        for table, values in tables.items()
        if isinstance(values, dict)
        for key, of in values.items()
    }
    return keys | {table: values for table, values in tables.items() if not isinstance(values, dict)}
