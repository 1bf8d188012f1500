"""Gemini CLI's settings.json, which may have comments, and its .env. Seen in 0.21.3 and 0.61.0; of the environment and
the file the environment counts."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from aimond.agents.jsonsettings import JsonSettings, hooks_of, plain_of
from aimond.agents.settings import (
    HEADERS,
    TIMEOUT,
    TOKEN,
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
DOTENV: Final = ".env"

# AfterTool ends a wait: logs are up to 5 s late, and so are spans where another .env is read. It is only for tools that
# may ask (0.61.0). BeforeTool would come before the question.
ASKING: Final = "^(run_shell_command|write_file|replace|web_fetch|ask_user|exit_plan_mode|activate_skill|mcp_.*)$"
HOOKS: Final = (
    Hook("SessionStart"),
    Hook("BeforeAgent"),
    Hook("AfterAgent"),
    Hook("Notification"),
    Hook("AfterTool", matcher=ASKING),
    Hook("SessionEnd"),
)

DEFAULT: Final = "http://localhost:4317"
# The first that is set counts.
ENDPOINTS: Final = ("GEMINI_TELEMETRY_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
SWITCH: Final = "GEMINI_TELEMETRY_ENABLED"
PROTOCOL: Final = "GEMINI_TELEMETRY_OTLP_PROTOCOL"
# Variables, and the settings they override, that send telemetry elsewhere unless they have that value.
ELSEWHERE: Final = (
    ("GEMINI_TELEMETRY_TARGET", "target", "local"),
    ("GEMINI_TELEMETRY_OUTFILE", "outfile", None),
)
# The only signal whose delay can be set: logs stay 5 s, metrics 10 s (0.61.0). In ms.
DELAY: Final = ("OTEL_BSP_SCHEDULE_DELAY", "300")

OTHERS: Final = ("{base}/.env", "{cwd}/.gemini/settings.json", "/etc/gemini-cli/settings.json")

TELLS: Final = (
    "exact: turns with their end, waiting for you, tokens; up to 5 s late: that a turn began, where no hook runs",
    "not told: cost, its own version; in folders that are not trusted no hook runs",
    'before hooks were on by default (0.21.3): they need `"tools": {"enableHooks": true}`',
)


def add(files: Files, wanted: Wanted) -> Edit:
    """Telemetry, unless the user's goes elsewhere, hooks, and the delay of spans. Raises Refused."""
    settings = JsonSettings(FILE, files, wanted.past, comments=True)
    env = _environment(files, wanted)
    own = {key: v for key, v in settings.table("telemetry").items() if not settings.is_own("telemetry", key)}
    why = _elsewhere(own, env, wanted)
    dotenv, left = files.get(DOTENV, ""), [why]
    if not why:
        left = [
            f"telemetry.{key} is {settings.get('telemetry', key)!r}: left so"
            for key, value in _values(own, env, wanted).items()
            if not settings.set(("telemetry", key), value)
            and not (key == "otlpEndpoint" and wanted.is_here(own.get(key)))
        ]
        dotenv, said = _add_variables(files, env, wanted)
        left += said
    handler = {"name": "aimond", "type": "command", "command": wanted.command, "timeout": TIMEOUT * 1000}
    settings.add_hooks(HOOKS, handler)
    left += _overridden(settings, wanted)
    changed = {} if dotenv == files.get(DOTENV, "") else {DOTENV: dotenv}
    return Edit({**settings.changed, **changed}, tuple(left))


def remove(files: Files, wanted: Wanted) -> Edit:
    """What ``add`` had put there. Raises Refused."""
    settings = JsonSettings(FILE, files, wanted.past, comments=True)
    telemetry = settings.table("telemetry")
    if wanted.past or wanted.is_here(telemetry.get("otlpEndpoint")):
        for key, value in _values(telemetry, {}, wanted).items():
            settings.unset(("telemetry", key), value)
        settings.drop_empty("telemetry")
    settings.drop_hooks()
    dotenv = files.get(DOTENV, "")
    if wanted.past is None or _has(DELAY[0], wanted.past.after) > _has(DELAY[0], wanted.past.before):
        dotenv = _without(dotenv, "=".join(DELAY))
    dotenv = _without(dotenv, f"{HEADERS}={TOKEN}=")
    changed = {} if dotenv == files.get(DOTENV, "") else {DOTENV: dotenv}
    return Edit({**settings.changed, **changed})


def reading(files: Files, wanted: Wanted) -> Configured:
    """What the files and the shell's environment say. Raises Refused."""
    settings = JsonSettings(FILE, files, None, comments=True)
    env, telemetry = _environment(files, wanted), settings.table("telemetry")
    enabled = not is_off(env.get(SWITCH, telemetry.get("enabled", False)))
    endpoint = _endpoint(telemetry, env) if enabled else ""
    ours, others = hooks_of(settings.document.plain)
    return Configured(
        enabled=enabled,
        endpoint=endpoint,
        protocol=str(env.get(PROTOCOL) or telemetry.get("otlpProtocol") or "grpc") if enabled else "",
        arrives=enabled and not _elsewhere(telemetry, env, wanted),
        admitted=wanted.is_admitted(env.get(HEADERS, "")),
        hooks=ours,
        other_hooks=others,
        missing=tuple(hook.event for hook in HOOKS if hook.event not in ours),
    )


# -- telemetry --------------------------------------------------------------------------------------


def _environment(files: Files, wanted: Wanted) -> dict[str, str]:
    """The variables that it gets: of the first .env, and of the shell, which count before."""
    return {**_variables(files.get(DOTENV) or _home_dotenv(wanted) or ""), **wanted.environment}


def _endpoint(telemetry: Mapping[str, Any], env: Mapping[str, str]) -> str:
    return next((env[key] for key in ENDPOINTS if env.get(key)), "") or str(telemetry.get("otlpEndpoint") or DEFAULT)


def _elsewhere(own: Mapping[str, Any], env: Mapping[str, str], wanted: Wanted) -> str:
    """Why the user's telemetry must be left as it is, "" if it need not."""
    enabled = env.get(SWITCH, own.get("enabled"))
    if enabled is not None and is_off(enabled):
        return f"telemetry is switched off ({_where(SWITCH, 'enabled', env)}): left so; aimond hears the hooks only"
    for variable, key, here in ELSEWHERE:
        value = env.get(variable) or own.get(key)
        if value and value != here:
            return f"{_where(variable, key, env)} is {value!r}: telemetry is left so; aimond hears the hooks only"
    url, variable = _endpoint(own, env), next((key for key in ENDPOINTS if env.get(key)), "")
    if (variable or own.get("otlpEndpoint") or enabled) and not wanted.is_here(url):
        return (
            f"telemetry goes to {shown(url)} ({_where(variable, 'otlpEndpoint', env)}): left so; aimond hears the "
            f"hooks only. For more, let that collector pass a copy on to {wanted.grpc or wanted.http}"
        )
    return ""


def _values(telemetry: Mapping[str, Any], env: Mapping[str, str], wanted: Wanted) -> dict[str, Any]:
    """What to set. gRPC, as its HTTP exporter delays the exit by 7 to 9 s when nobody listens (0.61.0)."""
    url = _endpoint({**telemetry, "otlpEndpoint": telemetry.get("otlpEndpoint") or " "}, env)
    if not wanted.is_here(url):
        speaks_http = wanted.http and (env.get(PROTOCOL) or telemetry.get("otlpProtocol")) == "http"
        url = wanted.http if speaks_http or not wanted.grpc else wanted.grpc
    return {
        "enabled": True,
        "target": "local",
        "otlpEndpoint": telemetry.get("otlpEndpoint") if wanted.is_here(telemetry.get("otlpEndpoint")) else url,
        "otlpProtocol": "grpc" if wanted.speaks_grpc(url) else "http",
        "logPrompts": False,
    }


def _overridden(settings: JsonSettings, wanted: Wanted) -> Iterator[str]:
    """What keeps these settings from being used."""
    if settings.get("hooksConfig", "enabled") is False:
        yield "hooksConfig.enabled is false: no hook runs, nor does aimond's"
    disabled = settings.get("hooksConfig", "disabled")
    if isinstance(disabled, list) and "aimond" in disabled:
        yield "hooksConfig.disabled names aimond: its hooks do not run"
    for path, text in wanted.others.items():
        plain = plain_of(text, comments=True)
        keys = [key for key in ("telemetry", "hooksConfig") if key in plain]
        if keys:
            yield f"{path} sets {', '.join(keys)}: that counts before your own settings"


# -- .env ---------------------------------------------------------------------------------------------


def _home_dotenv(wanted: Wanted) -> str | None:
    return next((text for path, text in wanted.others.items() if path.endswith(f"/{DOTENV}")), None)


def _add_variables(files: Files, env: Mapping[str, str], wanted: Wanted) -> tuple[str, list[str]]:
    """The .env with the delay of spans and the token, and what to say. A new one would hide ~/.env: only the first that
    is found is read."""
    text, said = files.get(DOTENV, ""), []
    key, value = DELAY
    is_hiding = DOTENV not in files and _home_dotenv(wanted) is not None
    if env.get(key, value) != value:
        said.append(f"{key} is {env[key]!r}: left so")
    elif key not in env and is_hiding:
        said.append(f"your .env is left alone: with {key}={value} in it, spans would come in 0.3 s instead of 5 s")
    elif key not in env:
        text = _with(text, f"{key}={value}")
    old = _variables(text).get(HEADERS, "")
    if old.startswith(f"{TOKEN}=") and old != wanted.headers:  # setup's own, and another token's or of none
        text, env = _without(text, f"{HEADERS}={TOKEN}="), {each: env[each] for each in env if each != HEADERS}
    if wanted.is_admitted(env.get(HEADERS, "")):
        return text, said
    if is_hiding or HEADERS in env:
        return text, [*said, f"{HEADERS} is left to you: add the monitor's token to it, as {TOKEN}=TOKEN"]
    return _with(text, f"{HEADERS}={wanted.headers}"), said


def _with(text: str, line: str) -> str:
    newline = "\r\n" if "\r\n" in text else "\n"
    begun = newline if text and not text.endswith("\n") else ""
    return f"{text}{begun}{line}{newline}"


def _without(text: str, begin: str) -> str:
    return "".join(line for line in text.splitlines(keepends=True) if not line.strip().startswith(begin))


def _has(key: str, files: Files) -> bool:
    return key in _variables(files.get(DOTENV, ""))


_VARIABLE: Final = re.compile(r"^[ \t]*(?:export[ \t]+)?([\w.-]+)[ \t]*[=:][ \t]*(.*?)[ \t\r]*$", re.MULTILINE)


def _variables(text: str) -> dict[str, str]:
    return {key: value.partition(" #")[0].strip().strip("\"'`") for key, value in _VARIABLE.findall(text)}


def _where(variable: str, key: str, env: Mapping[str, str]) -> str:
    return f"{variable} in the environment" if env.get(variable) else f"telemetry.{key}"


SETTINGS: Final = CliSettings(
    name="gemini",
    title="Gemini CLI",
    variable="GEMINI_CLI_HOME",
    below=".gemini",
    home=".gemini",
    files=(FILE, DOTENV),
    others=OTHERS,
    nix="programs.gemini-cli.settings",
    versioned=False,
    tells=TELLS,
    add=add,
    remove=remove,
    reading=reading,
)
