"""What a CLI's settings amount to, all its files and variables together, and which of those decide. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import PurePath
from typing import Any, Final

import tomlkit

from aimond import toml
from aimond.agents.jsonsettings import at, plain_of
from aimond.agents.settings import CliSettings, Configured, Files, Wanted

SYSTEM: Final = "/etc/"
# The variables that may tell a CLI where its telemetry goes, by their beginnings.
VARIABLES: Final = ("OTEL_", "CLAUDE_CODE_", "ENABLE_", "GEMINI_TELEMETRY_")
# Of telemetry a project's files tell them nothing: Codex CLI says so (0.169.0), Claude Code does not (2.1.330).
IGNORES_PROJECTS: Final = frozenset({"claude", "codex"})
# With this value no hook runs (Claude Code 2.1.330, Codex CLI 0.169.0, Gemini CLI 0.61.0).
HOOKS_OFF: Final[dict[str, tuple[tuple[tuple[str, ...], bool], ...]]] = {
    "claude": ((("disableAllHooks",), True), (("allowManagedHooksOnly",), True)),
    "codex": ((("features", "hooks"), False), (("features", "codex_hooks"), False)),
    "gemini": ((("hooksConfig", "enabled"), False),),
}


def effective(cli: CliSettings, files: Files, wanted: Wanted) -> Configured:
    """What the CLI does with all of it: the system's files count before a project's, those before the user's. Raises
    Refused."""
    own = cli.reading(files, wanted)
    above = _above(cli, wanted)
    if cli.name in IGNORES_PROJECTS:
        above = {path: text for path, text in above.items() if path.startswith(SYSTEM)}
    if not above:
        return own
    name = cli.files[0]
    merged: dict[str, Any] = {}
    for layer in (files.get(name, ""), *above.values()):
        merged = _merge(merged, _plain(name, layer))
    all_in_one = {**files, name: _written(name, merged)}
    told = cli.reading(all_in_one, wanted)
    return replace(
        own,
        enabled=told.enabled,
        endpoint=told.endpoint,
        protocol=told.protocol,
        arrives=told.arrives,
        admitted=told.admitted,
    )


def decided_by(cli: CliSettings, files: Files, wanted: Wanted, directory: str) -> tuple[str, ...]:
    """The variables and files without which its telemetry would be another, the strongest first; () for nothing."""
    so = _telemetry(effective(cli, files, wanted))
    found = list(variables(cli, files, wanted))
    for path in reversed(_ordered(wanted.others)):
        others = {other: text for other, text in wanted.others.items() if other != path}
        if _telemetry(effective(cli, files, replace(wanted, others=others))) != so:
            found.append(path)
    for name in files:
        rest = {other: text for other, text in files.items() if other != name}
        if _telemetry(effective(cli, rest, wanted)) != so:
            found.append(f"{directory}/{name}")
    if not found and so[0]:  # several say the same
        found = [f"{directory}/{cli.files[0]}"]
    return tuple(found)


def variables(cli: CliSettings, files: Files, wanted: Wanted) -> Iterator[str]:
    """The variables of the environment without which its telemetry would be another."""
    so = _telemetry(effective(cli, files, wanted))
    for key in wanted.environment:
        if key.startswith(VARIABLES):
            rest = {other: value for other, value in wanted.environment.items() if other != key}
            if _telemetry(effective(cli, files, replace(wanted, environment=rest))) != so:
                yield key


def hooks_off(cli: CliSettings, files: Files, wanted: Wanted, directory: str) -> str:
    """The setting that keeps all hooks of the user from running, and the file; "" for none."""
    name = cli.files[0]
    texts = {f"{directory}/{name}": files.get(name, ""), **_above(cli, wanted)}
    for path, text in reversed(texts.items()):
        plain = _plain(name, text)
        for key, off in HOOKS_OFF.get(cli.name, ()):
            there = at(plain, key)
            if there is not None:
                return f"{'.'.join(key)} = {json.dumps(there)} in {path}" if there is off else ""
    return ""


def _telemetry(configured: Configured) -> tuple[bool, str, str]:
    return configured.enabled, configured.endpoint, configured.protocol


def _above(cli: CliSettings, wanted: Wanted) -> Files:
    """The files of the same kind that count before the user's own, the strongest last."""
    suffix = PurePath(cli.files[0]).suffix
    return {path: wanted.others[path] for path in _ordered(wanted.others) if PurePath(path).suffix == suffix}


def _ordered(others: Mapping[str, str]) -> list[str]:
    return sorted(others, key=lambda path: path.startswith(SYSTEM))


def _plain(name: str, text: str) -> dict[str, Any]:
    if not name.endswith(".toml"):
        return plain_of(text, comments=True)
    try:
        return toml.parse(text)
    except ValueError:
        return {}


def _written(name: str, plain: dict[str, Any]) -> str:
    return tomlkit.dumps(plain) if name.endswith(".toml") else json.dumps(plain)


def _merge(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        there = merged.get(key)
        merged[key] = _merge(there, value) if isinstance(there, dict) and isinstance(value, dict) else value
    return merged
