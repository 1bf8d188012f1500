"""Codex CLI's config.toml and hooks.json. Seen in 0.80.0 (no hooks), 0.124.0 (hooks) and 0.169.0 (hooks that its user
has to trust); an event that a version does not know is passed over by all of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

from aimond.agents.codex import exporters, tomlhooks
from aimond.agents.codex.tomltext import TomlText
from aimond.agents.jsonread import Unreadable
from aimond.agents.jsonsettings import JsonSettings, at, handlers, hooks_of
from aimond.agents.settings import (
    TIMEOUT,
    CliSettings,
    Configured,
    Edit,
    Files,
    Hook,
    Past,
    Refused,
    Wanted,
    is_ours,
    shown,
)

FILE: Final = "config.toml"
# Where it is there, hooks go into it: of hooks in both files Codex CLI complains at every start (0.169.0).
HOOKS_FILE: Final = "hooks.json"

# No PostToolUse: what ends a wait is the log ``codex.tool_decision``, sent when the user agrees; where the user refuses
# there is no record at all, but Interrupt runs at once (0.169.0).
HOOKS: Final = (
    Hook("SessionStart"),
    Hook("UserPromptSubmit"),
    Hook("PermissionRequest"),
    Hook("Stop"),
    Hook("Interrupt"),
    Hook("SessionEnd"),
)
# ``metrics_exporter`` is not touched: it names no session, and by default it is OpenAI's.
EXPORTERS: Final = (("exporter", "logs"), ("trace_exporter", "traces"))

TELLS: Final = (
    "exact: turns with their end, tokens; waiting for you, once you trust the hooks",
    "not told: cost; runs that fail within a second; a title thread's turn is never shown",
)
TRUST: Final = (
    "Codex CLI asks at its next start whether to trust these hooks: choose “Trust all and continue”. Until then none "
    "runs, and `codex exec` does not ask"
)


def add(files: Files, wanted: Wanted) -> Edit:
    """Logs and spans, unless the user's go elsewhere, hooks, and ``notify`` where there is none. Raises Refused."""
    old = document = _read(files)
    left: list[str] = []
    for key, signal in EXPORTERS:
        there, value = at(document.plain, ("otel", key)), exporters.exporter(signal, wanted)
        is_own = _is_own(document, ("otel", key), wanted.past)
        if there is not None and not is_own and not wanted.is_here(exporters.endpoint(there)):
            left.append(
                f"otel.{key} is {shown(exporters.endpoint(there)) or repr(there)}: left so; no {signal} for aimond"
            )
            if exporters.endpoint(there):
                left.append(f"let that collector pass a copy on to {exporters.endpoint(value)}")
                break  # spans would put their ids into the logs that go there
        elif there is None or (is_own and there != value):
            document = document.unset(("otel", key)).set(("otel", key), exporters.literal(value))
    notify = document.plain.get("notify")
    if notify is None or (is_ours(notify) and notify != list(wanted.program)):
        document = document.set(("notify",), json.dumps(wanted.program, ensure_ascii=False))
    elif not is_ours(notify):
        left.append("notify runs a program of yours: left so; the hooks tell more (0.124.0 and newer)")
    hooks_json = JsonSettings(HOOKS_FILE, files, wanted.past)
    if _uses_json(files):
        document = tomlhooks.remove(document)
        hooks_json.add_hooks(HOOKS, {"type": "command", "command": wanted.command, "timeout": TIMEOUT})
    else:
        document = tomlhooks.add(document, HOOKS, wanted.command, TIMEOUT)
    left += _overridden(document, wanted)
    is_new = set(_commands(files)) != {wanted.command}
    todo = (TRUST,) if is_new or _untrusted(document, hooks_json) else ()
    return Edit({**_changed(old, document), **hooks_json.changed}, tuple(left), todo)


def remove(files: Files, wanted: Wanted) -> Edit:
    """What ``add`` had put there, and that its user trusts it. Raises Refused."""
    old = document = _read(files)
    before = TomlText.parse(wanted.past.before.get(FILE, "")) if wanted.past else TomlText.parse("")
    for key, signal in EXPORTERS:
        there = at(document.plain, ("otel", key))
        if _is_own(document, ("otel", key), wanted.past) or (
            not wanted.past and there == exporters.exporter(signal, wanted)
        ):
            document = document.unset(("otel", key))
    if not before.find(("otel",), "table"):
        document = document.drop_empty(("otel",))
    if is_ours(document.plain.get("notify")) and "notify" not in before.plain:
        document = document.unset(("notify",))
    hooks_json = JsonSettings(HOOKS_FILE, files, wanted.past)
    keeps = at(before.plain, tomlhooks.STATE) is not None
    for file, plain in ((FILE, document.plain), (HOOKS_FILE, hooks_json.document.plain)):
        document = tomlhooks.forget(document, file, list(tomlhooks.places(plain)), keeps_empty=keeps)
    document = tomlhooks.remove(document)
    hooks_json.drop_hooks()
    return Edit({**_changed(old, document), **hooks_json.changed})


def reading(files: Files, wanted: Wanted) -> Configured:
    """What the files say. Raises Refused."""
    document, hooks_json = _read(files), JsonSettings(HOOKS_FILE, files, None)
    exporter, notify = at(document.plain, ("otel", "exporter")), document.plain.get("notify")
    ours, others = hooks_of(document.plain)
    more, more_others = hooks_of(hooks_json.document.plain)
    kind = next(iter(exporter), "") if isinstance(exporter, dict) else ""
    settings = exporter.get(kind) if isinstance(exporter, dict) else None
    protocol = f"http/{settings.get('protocol', '')}" if isinstance(settings, dict) and "http" in kind else "grpc"
    return Configured(
        enabled=bool(exporters.endpoint(exporter)),
        endpoint=exporters.endpoint(exporter),
        protocol=protocol if exporters.endpoint(exporter) else "",
        arrives=wanted.is_here(exporters.endpoint(exporter)),
        admitted=wanted.is_admitted(exporters.headers(exporter)),
        hooks={**ours, **more},
        other_hooks=tuple(dict.fromkeys((*others, *more_others))),
        missing=tuple(hook.event for hook in HOOKS if hook.event not in {**ours, **more}),
        untrusted=tuple(_untrusted(document, hooks_json)),
        notify="" if notify is None else "aimond" if is_ours(notify) else "other",
    )


# -- config.toml --------------------------------------------------------------------------------------


def _read(files: Files) -> TomlText:
    try:
        document = TomlText.parse(files.get(FILE, ""))
    except Unreadable as error:
        raise Refused(FILE, f"{error}; mend it first", error.line) from None
    for path, kind, title in (
        (("otel",), dict, "a table"),
        (("hooks",), dict, "a table"),
        *((("hooks", hook.event), list, "an array") for hook in HOOKS),
    ):
        there = at(document.plain, path)
        if there is not None and not isinstance(there, kind):
            raise Refused(FILE, f"`{'.'.join(path)}` is not {title}; mend it first")
    return document


def _changed(old: TomlText, new: TomlText) -> Files:
    """The file, once it is sure that all else in it means what it meant."""
    if _others(old.plain) != _others(new.plain):
        raise Refused(FILE, "it is written in a way that setup cannot edit safely; see docs/setup.md for what to add")
    return {} if old.text == new.text else {FILE: new.text}


def _others(plain: dict[str, Any]) -> list[Any]:
    """All that is not ours."""
    otel, hooks = plain.get("otel", {}), plain.get("hooks", {})
    rest = {key: value for key, value in plain.items() if key not in ("otel", "hooks", "notify")}
    kept = {key: value for key, value in otel.items() if key not in dict(EXPORTERS)}
    own = [command for _, command in handlers(plain) if not is_ours(command)]
    return [rest, kept, own, [key for key in hooks if key not in {hook.event for hook in HOOKS} | {"state"}]]


def _is_own(document: TomlText, path: tuple[str, ...], past: Past | None) -> bool:
    """Whether setup has put that value there, and nobody has changed it since."""
    there = at(document.plain, path)
    if past is None or there is None:
        return False
    return bool(there == at(_plain(past.after), path)) and at(_plain(past.before), path) is None


def _plain(files: Files) -> dict[str, Any]:
    """The plain values of config.toml, none where it cannot be read."""
    try:
        return TomlText.parse(files.get(FILE, "")).plain
    except Unreadable:
        return {}


# -- hooks --------------------------------------------------------------------------------------------


def _uses_json(files: Files) -> bool:
    return bool(files.get(HOOKS_FILE, "").strip())


def _commands(files: Files) -> Iterator[str]:
    plain = JsonSettings(HOOKS_FILE, files, None).document.plain if _uses_json(files) else _read(files).plain
    return (command for _, command in handlers(plain) if is_ours(command))


def _untrusted(document: TomlText, hooks_json: JsonSettings) -> list[str]:
    return [
        event
        for file, plain in ((FILE, document.plain), (HOOKS_FILE, hooks_json.document.plain))
        for event in tomlhooks.untrusted(document, file, tomlhooks.places(plain))
    ]


def _overridden(document: TomlText, wanted: Wanted) -> Iterator[str]:
    """What keeps these settings from being used."""
    features = document.plain.get("features")
    for name in ("hooks", "codex_hooks"):
        if isinstance(features, dict) and features.get(name) is False:
            yield f"features.{name} is false: no hook runs, nor does aimond's"
    profiles = document.plain.get("profiles")
    for name, profile in profiles.items() if isinstance(profiles, dict) else ():
        for key in ("otel", "notify"):
            if isinstance(profile, dict) and key in profile:
                yield f"profiles.{name}.{key} counts instead while that profile is used"
    for path, text in wanted.others.items():
        keys = [key for key in ("otel", "notify") if key in _plain({FILE: text})]
        if keys:
            yield f"{path} sets {', '.join(keys)}: that counts before your own settings"


SETTINGS: Final = CliSettings(
    name="codex",
    title="Codex CLI",
    variable="CODEX_HOME",
    below="",
    home=".codex",
    files=(FILE, HOOKS_FILE),
    others=("/etc/codex/managed_config.toml",),  # a project's telemetry and notify are ignored (0.169.0)
    nix="programs.codex.settings",
    versioned=False,
    tells=TELLS,
    add=add,
    remove=remove,
    reading=reading,
)
