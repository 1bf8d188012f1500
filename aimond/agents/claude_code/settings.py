"""Claude Code's settings.json. Seen in 2.0.76 and 2.1.330, which read it as strict JSON; of ``env`` and the shell's
environment the file counts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from aimond.agents.jsonsettings import JsonSettings, hooks_of, plain_of
from aimond.agents.settings import (
    HEADERS,
    TIMEOUT,
    CliSettings,
    Configured,
    Edit,
    Files,
    Hook,
    Wanted,
    is_off,
    shown,
)

FILE: Final = "settings.json"

# No PostToolUse: what ends a wait is the log ``tool_decision``, sent when the user answers, not when the tool is done.
# One event that a version does not know voids the whole file, permissions too (2.1.77 and older; 2.1.330 skips it).
OLDEST: Final = (2, 0, 76)
HOOKS: Final = (
    Hook("SessionStart"),
    Hook("UserPromptSubmit"),
    Hook("PermissionRequest"),
    Hook("Notification"),
    Hook("Stop"),
    Hook("StopFailure", since=(2, 1, 78)),
    Hook("SubagentStart"),
    Hook("SubagentStop"),
    Hook("SessionEnd"),
)

SWITCH: Final = "CLAUDE_CODE_ENABLE_TELEMETRY"
ENDPOINT: Final = "OTEL_EXPORTER_OTLP_ENDPOINT"
PROTOCOL: Final = "OTEL_EXPORTER_OTLP_PROTOCOL"
ENDPOINTS: Final = (ENDPOINT, "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
EXPORTERS: Final = ("OTEL_LOGS_EXPORTER", "OTEL_TRACES_EXPORTER")
DEFAULTS: Final = {"grpc": "http://localhost:4317"}
# No metrics: the SessionStart hook tells what ``session.count`` does, a minute earlier.
ENV: Final = {
    SWITCH: "1",
    "CLAUDE_CODE_ENHANCED_TELEMETRY_BETA": "1",  # spans, in 2.1.100 and newer: the exact end of a turn, cut ones too
    "ENABLE_ENHANCED_TELEMETRY_BETA": "1",  # the same in 2.0.76
    "OTEL_LOGS_EXPORTER": "otlp",
    "OTEL_TRACES_EXPORTER": "otlp",
    PROTOCOL: "http/protobuf",  # 2.0.76 does not start without
    ENDPOINT: "",
    "OTEL_LOGS_EXPORT_INTERVAL": "500",  # ms; 5 s by default, for both
    "OTEL_TRACES_EXPORT_INTERVAL": "500",
    # ms at the exit for a receiver that hangs; 2 s by default (2.1.330; measured: 1.1 s instead of 2.1)
    "CLAUDE_CODE_OTEL_SHUTDOWN_TIMEOUT_MS": "1000",
}
MANAGED: Final = "/etc/"
# What is managed counts before the user's; of a project's own only hooks do, telemetry is ignored there (2.1.330).
OTHERS: Final = (
    "/etc/claude-code/managed-settings.json",
    "{cwd}/.claude/settings.json",
    "{cwd}/.claude/settings.local.json",
)

TELLS: Final = (
    "exact: turns with their end, waiting for you, tokens, cost",
    "not told: that retries are under way",
)


def add(files: Files, wanted: Wanted) -> Edit:
    """Telemetry, unless the user's goes elsewhere, and hooks. Raises Refused."""
    settings = JsonSettings(FILE, files, wanted.past)
    own = {key: str(value) for key, value in settings.table("env").items() if not settings.is_own("env", key)}
    left = [why] if (why := _elsewhere(own, wanted)) else list(_add_telemetry(settings, own, wanted))
    if wanted.version and wanted.version < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        left.append(f"hooks are not installed: this Claude Code is older than {oldest}, and may not know all of them")
    else:
        hooks = [hook for hook in HOOKS if not hook.since or wanted.version >= hook.since]
        settings.add_hooks(hooks, {"type": "command", "command": wanted.command, "timeout": TIMEOUT})
    left += _overridden(settings, wanted)
    return Edit(settings.changed, tuple(left))


def remove(files: Files, wanted: Wanted) -> Edit:
    """What ``add`` had put there. Raises Refused."""
    settings = JsonSettings(FILE, files, wanted.past)
    env = {key: str(value) for key, value in settings.table("env").items()}
    if wanted.past or wanted.is_here(env.get(ENDPOINT)):
        for key, value in _values(env, wanted).items():
            settings.unset(("env", key), value)
        settings.unset(("env", HEADERS), wanted.headers)
        settings.drop_empty("env")
    settings.drop_hooks()
    return Edit(settings.changed)


def reading(files: Files, wanted: Wanted) -> Configured:
    """What the file says, and the shell's environment where it says nothing. Raises Refused."""
    settings = JsonSettings(FILE, files, None)
    env = {**wanted.environment, **{key: str(value) for key, value in settings.table("env").items()}}
    enabled = not is_off(env.get(SWITCH, "")) and any("otlp" in env.get(key, "") for key in EXPORTERS)
    endpoint = _endpoint(env) if enabled else ""
    ours, others = hooks_of(settings.document.plain)
    return Configured(
        enabled=enabled,
        endpoint=endpoint,
        protocol=env.get(PROTOCOL, "http/protobuf") if enabled else "",
        arrives=wanted.is_here(endpoint),
        admitted=wanted.is_admitted(env.get(HEADERS, "")),
        hooks=ours,
        other_hooks=others,
        missing=tuple(hook.event for hook in HOOKS if hook.event not in ours and not hook.since),
    )


def _elsewhere(own: Mapping[str, str], wanted: Wanted) -> str:
    """Why the user's telemetry must be left as it is, "" if it need not."""
    env = {**wanted.environment, **own}
    if SWITCH in env and is_off(env[SWITCH]):
        return f"telemetry is switched off ({_where(SWITCH, own)}): left so; aimond hears the hooks only"
    sends = not is_off(env.get(SWITCH, "")) and any("otlp" in value for key, value in env.items() if _exports(key))
    for key in ENDPOINTS:
        url = env.get(key) or (_endpoint(env) if key == ENDPOINT and sends else "")
        if url and not wanted.is_here(url):
            return (
                f"telemetry goes to {shown(url)} ({_where(key, own)}): left so; aimond hears the hooks only. "
                f"For more, let that collector pass a copy on to {wanted.http or wanted.grpc}"
            )
    for key in EXPORTERS:
        if key in env and "otlp" not in env[key]:
            return f"{_where(key, own)} is {env[key]!r}: telemetry is left as it is; aimond hears the hooks only"
    return ""


def _add_telemetry(settings: JsonSettings, own: Mapping[str, str], wanted: Wanted) -> Iterator[str]:
    for key, value in _values({**wanted.environment, **own}, wanted).items():
        outside = wanted.environment.get(key, value)
        if key not in own and outside != value:
            yield f"{key} is {outside!r} in your environment: left so"
        elif not settings.set(("env", key), value):
            yield f"env.{key} is {settings.get('env', key)!r}: left so"
    yield from _add_token(settings, own, wanted)


def _add_token(settings: JsonSettings, own: Mapping[str, str], wanted: Wanted) -> Iterator[str]:
    """What it cannot do is told without the user's own headers: they may be secrets."""
    if not wanted.headers:
        settings.unset(("env", HEADERS), None)
    elif wanted.is_admitted(own.get(HEADERS) or wanted.environment.get(HEADERS, "")):
        return
    elif wanted.environment.get(HEADERS) or not settings.set(("env", HEADERS), wanted.headers):
        yield f"{_where(HEADERS, own)} is left so: add the monitor's token to it, as x-aimond-token=TOKEN"


def _values(env: Mapping[str, str], wanted: Wanted) -> dict[str, str]:
    """The table, with the endpoint that suits a protocol that is there already, and the other way round."""
    prefers_grpc = wanted.grpc and (not wanted.http or env.get(PROTOCOL) == "grpc")
    endpoint = env.get(ENDPOINT, "")
    if not wanted.is_here(endpoint):
        endpoint = wanted.grpc if prefers_grpc else wanted.http
    protocol = "grpc" if wanted.speaks_grpc(endpoint) else env.get(PROTOCOL, "")
    protocol = protocol if protocol in ("grpc", "http/json") else ENV[PROTOCOL]
    return {**ENV, ENDPOINT: endpoint, PROTOCOL: protocol}


def _overridden(settings: JsonSettings, wanted: Wanted) -> Iterator[str]:
    """What keeps these settings from being used."""
    if settings.get("disableAllHooks") is True:
        yield "disableAllHooks is true: no hook runs, nor does aimond's"
    for path, text in wanted.others.items():
        plain = plain_of(text, comments=False)
        env: Any = plain.get("env")
        keys = [key for key in ENV if isinstance(env, dict) and env.get(key, "") not in ("", settings.get("env", key))]
        if keys and path.startswith(MANAGED):
            yield f"{path} sets {', '.join(keys)}: that counts before your own settings"
        if plain.get("disableAllHooks") is True or plain.get("allowManagedHooksOnly") is True:
            yield f"{path} keeps hooks of your own from running: aimond hears the telemetry only"


def _endpoint(env: Mapping[str, str]) -> str:
    """Where logs go."""
    default = DEFAULTS.get(env.get(PROTOCOL, ""), "http://localhost:4318")
    return env.get(ENDPOINTS[1]) or env.get(ENDPOINT) or default


def _exports(key: str) -> bool:
    return key.startswith("OTEL_") and key.endswith("_EXPORTER")


def _where(key: str, own: Mapping[str, str]) -> str:
    return f"env.{key}" if key in own else f"{key} in your environment"


SETTINGS: Final = CliSettings(
    name="claude",
    title="Claude Code",
    variable="CLAUDE_CONFIG_DIR",
    below="",
    home=".claude",
    files=(FILE,),
    others=OTHERS,
    nix="programs.claude-code.settings",
    versioned=True,
    tells=TELLS,
    add=add,
    remove=remove,
    reading=reading,
)
