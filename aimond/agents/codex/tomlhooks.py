"""Hooks in Codex CLI's config.toml: ``[[hooks.Stop]]`` with ``[[hooks.Stop.hooks]]``, or the same as inline tables."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import Any, Final

import tomlkit

from aimond.agents.codex.tomltext import TomlText
from aimond.agents.jsonsettings import own_handlers
from aimond.agents.settings import Hook

Place = tuple[str, int, int]

STATE: Final = ("hooks", "state")


def add(document: TomlText, hooks: Sequence[Hook], command: str, timeout: int) -> TomlText:
    """One handler of ours for each event, after the user's own; an older one is brought up to date in its place."""
    wanted = {hook.event for hook in hooks}
    for place in reversed(list(own(document))):
        if place[0] not in wanted or place[:1] in [other[:1] for other in own(document) if other < place]:
            document = _drop(document, place)
    there = {event: (event, group, number) for event, group, number in own(document)}
    for hook in hooks:
        if hook.event not in there:
            document = _append(document, hook.event, command, timeout)
            continue
        for key, value in (("command", command), ("timeout", timeout)):
            document = _update(document, there[hook.event], key, value)
    return document


def remove(document: TomlText) -> TomlText:
    """Without our handlers, and without what held nothing else."""
    for place in reversed(list(own(document))):
        document = _drop(document, place)
    return document


def own(document: TomlText) -> Iterator[Place]:
    """Where our handlers are."""
    return places(document.plain)


def places(plain: dict[str, Any]) -> Iterator[Place]:
    """Where our handlers are, in hooks.json too: event, group, number."""
    return ((str(path[1]), int(path[2]), int(path[4])) for path in own_handlers(plain))


# -- what its user trusts ---------------------------------------------------------------------------


def untrusted(document: TomlText, file: str, mine: Iterable[Place]) -> Iterator[str]:
    """Events whose handler in that file the user has not agreed to, as far as config.toml tells."""
    return (place[0] for place in mine if not any(key.endswith(_trust(file, place)) for key in _state(document)))


def forget(document: TomlText, file: str, mine: Iterable[Place], *, keeps_empty: bool) -> TomlText:
    """Without Codex CLI's notes that the user trusts these handlers."""
    ends = tuple(_trust(file, place) for place in mine)
    gone = [key for key in _state(document) if key.endswith(ends)]
    for key in gone:
        document = document.unset((*STATE, key))
    return document.drop_empty(STATE) if gone and not _state(document) and not keeps_empty else document


def _trust(file: str, place: Place) -> str:
    """The end of the key that says so, the beginning is the directory (0.169.0)."""
    event, group, number = place
    return f"/{file}:{re.sub('(?<!^)(?=[A-Z])', '_', event).lower()}:{group}:{number}"


def _state(document: TomlText) -> list[str]:
    hooks = document.plain.get("hooks")
    state = hooks.get("state") if isinstance(hooks, dict) else None
    return list(state) if isinstance(state, dict) else []


# -- how it is written ------------------------------------------------------------------------------


def _append(document: TomlText, event: str, command: str, timeout: int) -> TomlText:
    path = ("hooks", event)
    for inline in (path, path[:1]):
        if found := document.find(inline):
            keys = (*document.statements[found[0]].key, *path[len(inline) :])
            return document.inside(found[0], partial(_append_inline, keys=keys, command=command, timeout=timeout))
    return document.block(
        f"[[hooks.{event}]]",
        f"[[hooks.{event}.hooks]]",
        'type = "command"',
        f"command = {tomlkit.item(command).as_string()}",
        f"timeout = {timeout}",
    )


def _append_inline(node: Any, keys: Sequence[str], command: str, timeout: int) -> None:
    for key in keys[:-1]:
        node = node[key]
    if keys[-1] not in node:
        node[keys[-1]] = tomlkit.array()
    handler, group, handlers = tomlkit.inline_table(), tomlkit.inline_table(), tomlkit.array()
    handler.update({"type": "command", "command": command, "timeout": timeout})
    handlers.append(handler)
    group["hooks"] = handlers
    node[keys[-1]].append(group)


def _update(document: TomlText, place: Place, key: str, value: Any) -> TomlText:
    event, group, number = place
    if document.plain["hooks"][event][group]["hooks"][number].get(key) == value:
        return document
    section = _section(document, place)
    if section is None:
        found, keys = _inline(document, place)
        return document.inside(found, lambda node: _walk(node, keys).__setitem__(key, value))
    pairs = [i for i in document.within(section) if document.statements[i].path == ("hooks", event, "hooks", key)]
    if pairs:
        return document.inside(pairs[0], lambda node: node.__setitem__(key, value))
    return document.after(document.within(section)[-1], f"{key} = {tomlkit.item(value).as_string()}")


def _drop(document: TomlText, place: Place) -> TomlText:
    event, group, _ = place
    alone = len(document.plain["hooks"][event][group]["hooks"]) == 1
    section, heads = _section(document, place), _groups(document, event)
    if heads and alone:
        return document.drop(heads[group], _last(document, event, heads[group]))
    if section is not None:
        return document.drop(section, document.within(section)[-1])
    found, keys = _inline(document, place)
    if not heads and alone and len(document.plain["hooks"][event]) == 1 and document.statements[found].path[1:]:
        return document.drop(found, found)
    return document.inside(found, lambda node: _drop_inline(node, keys, alone=alone))


def _drop_inline(node: Any, keys: Sequence[str | int], *, alone: bool) -> None:
    keys = keys[:-2] if alone else keys
    holder = _walk(node, keys[:-1])
    del holder[keys[-1]]
    if alone and len(holder) == 0 and len(keys) > 1:
        del _walk(node, keys[:-2])[keys[-2]]


def _walk(node: Any, keys: Sequence[str | int]) -> Any:
    for key in keys:
        node = node[key]
    return node


def _groups(document: TomlText, event: str) -> list[int]:
    return document.find(("hooks", event), "array")


def _last(document: TomlText, event: str, head: int) -> int:
    """The last statement of the group that a header begins."""
    last = head
    for i in range(head + 1, len(document.statements)):
        statement = document.statements[i]
        if statement.path[:2] != ("hooks", event) or (statement.kind, statement.path) == ("array", ("hooks", event)):
            break
        last = i
    return last


def _section(document: TomlText, place: Place) -> int | None:
    """The header of a handler that has one."""
    event, group, number = place
    heads = _groups(document, event)
    if not heads:
        return None
    inside = range(heads[group], _last(document, event, heads[group]) + 1)
    headers = [i for i in document.find(("hooks", event, "hooks"), "array") if i in inside]
    return headers[number] if headers else None


def _inline(document: TomlText, place: Place) -> tuple[int, list[str | int]]:
    """The statement that a handler is in, and the way to it inside."""
    event, group, number = place
    heads = _groups(document, event)
    if heads:
        path = ("hooks", event, "hooks")
        found = next(i for i in document.find(path) if i in document.within(heads[group]))
        return found, [*document.statements[found].key, number]
    whole = ("hooks", event)
    rest, found = next((whole[n:], found) for n in (2, 1) for found in document.find(whole[:n]))
    return found, [*document.statements[found].key, *rest, group, "hooks", number]
