"""A JSON settings file under edit: sets what is missing, keeps what is the user's, knows what setup had put there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from aimond.agents.jsonread import Unreadable
from aimond.agents.jsontext import JsonText
from aimond.agents.settings import Files, Hook, Past, Refused, is_ours

Path = tuple[str | int, ...]


class JsonSettings:
    """One file. What ``past`` put there is setup's own, until the user has changed it."""

    def __init__(self, name: str, files: Files, past: Past | None, *, comments: bool = False) -> None:
        self.name, self.past = name, past
        self._was = files.get(name, "")
        try:
            self.document = JsonText.parse(self._was, comments=comments)
        except Unreadable as error:
            raise Refused(name, f"{error}; mend it first", error.line) from None
        self._before, self._after = (
            (plain_of(past.before.get(name, ""), comments), plain_of(past.after.get(name, ""), comments))
            if past
            else ({}, {})
        )

    @property
    def text(self) -> str:
        return self.document.text

    @property
    def changed(self) -> Files:
        """The file with its new text, nothing if that is the old one."""
        return {} if self.text == self._was else {self.name: self.text}

    def get(self, *path: str | int) -> Any:
        return at(self.document.plain, path)

    def table(self, *path: str) -> dict[str, Any]:
        """The object at a path, an empty one if there is none. Refuses anything else."""
        table: dict[str, Any] = self._typed(path, dict, "an object", {})
        return table

    def array(self, *path: str) -> list[Any]:
        """The array at a path, an empty one if there is none. Refuses anything else."""
        array: list[Any] = self._typed(path, list, "an array", [])
        return array

    def _typed(self, path: Sequence[str], kind: type, title: str, default: Any) -> Any:
        there = self.get(*path)
        if there is None:
            return default if self.document.at(path) is None else self._wrong(path, title)
        return there if isinstance(there, kind) else self._wrong(path, title)

    def _wrong(self, path: Sequence[str], title: str) -> Any:
        value = self.document.at(path)
        line = self.text.count("\n", 0, value.start) + 1 if value else 0
        raise Refused(self.name, f"`{'.'.join(path)}` is not {title}; mend it first", line)

    # -- values ---------------------------------------------------------------------------------------

    def is_own(self, *path: str) -> bool:
        """Whether setup has put that value there, and nobody has changed it since."""
        there = self.get(*path)
        return there is not None and there == at(self._after, path) and at(self._before, path) is None

    def set(self, path: Sequence[str], value: Any) -> bool:
        """Set a value where there is none, or only an older one of setup's. Whether it is so now."""
        if self.get(*path) is None or self.is_own(*path):
            self.document = self.document if self.get(*path) == value else self.document.put(path, value)
        return bool(self.get(*path) == value)

    def unset(self, path: Sequence[str], value: Any) -> None:
        """Take out a value of setup's: where the past is not known, the one it would have set."""
        if self.is_own(*path) or (self.past is None and self.get(*path) == value):
            self.document = self.document.drop(path)

    def drop_empty(self, *path: str) -> None:
        """Take out an object or array with nothing in it, unless the user had it so."""
        if self.get(*path) in ({}, []) and at(self._before, path) is None:
            self.document = self.document.drop(path)

    # -- hooks ----------------------------------------------------------------------------------------

    def add_hooks(self, hooks: Sequence[Hook], handler: dict[str, Any]) -> None:
        """One handler of ours for each event, after the user's own; an older one is brought up to date in its place."""
        self.table("hooks")
        for hook in hooks:
            self.array("hooks", hook.event)
        wanted = {hook.event for hook in hooks}
        for path in reversed(list(own_handlers(self.document.plain))):
            if path[1] not in wanted:
                self._drop_handler(path)
                self.drop_empty("hooks", str(path[1]))
        for hook in hooks:
            mine = [path for path in own_handlers(self.document.plain) if path[1] == hook.event]
            for path in reversed(mine[1:]):
                self._drop_handler(path)
            if mine:
                self._update(mine[0], hook, handler)
            else:
                group = {**({"matcher": hook.matcher} if hook.matcher else {}), "hooks": [handler]}
                self.document = self.document.append(("hooks", hook.event), group)

    def _update(self, path: Path, hook: Hook, handler: dict[str, Any]) -> None:
        for key, value in handler.items():
            if self.get(*path, key) != value:
                self.document = self.document.put((*path, key), value)
        group = path[:3]
        if len(self.get(*group, "hooks")) == 1 and (self.get(*group, "matcher") or "") != hook.matcher:
            place = (*group, "matcher")
            self.document = self.document.put(place, hook.matcher) if hook.matcher else self.document.drop(place)

    def drop_hooks(self) -> None:
        """Take out all handlers of ours, and what held nothing else."""
        events = {str(path[1]) for path in own_handlers(self.document.plain)}
        for path in reversed(list(own_handlers(self.document.plain))):
            self._drop_handler(path)
        for event in events:
            self.drop_empty("hooks", event)
        if events:
            self.drop_empty("hooks")

    def _drop_handler(self, path: Path) -> None:
        self.document = self.document.drop(path)
        if self.get(*path[:-1]) == []:
            self.document = self.document.drop(path[:3])


def plain_of(text: str, comments: bool) -> dict[str, Any]:
    """A text's plain values, none where it cannot be read."""
    try:
        return JsonText.parse(text, comments=comments).plain
    except Unreadable:
        return {}


def at(plain: Any, path: Sequence[str | int]) -> Any:
    """The plain value at a path, None where there is none."""
    for key in path:
        if isinstance(plain, dict):
            plain = plain.get(key)
        elif isinstance(plain, list) and isinstance(key, int) and key < len(plain):
            plain = plain[key]
        else:
            return None
    return plain


def handlers(plain: dict[str, Any]) -> Iterator[tuple[Path, str]]:
    """Where hooks' handlers stand, with their commands; whatever else may be there is passed over."""
    table = plain.get("hooks")
    for event, groups in table.items() if isinstance(table, dict) else ():
        for i, group in enumerate(groups) if isinstance(groups, list) else ():
            inner = group.get("hooks") if isinstance(group, dict) else None
            for j, handler in enumerate(inner) if isinstance(inner, list) else ():
                if isinstance(handler, dict):
                    yield ("hooks", event, i, "hooks", j), str(handler.get("command", ""))


def own_handlers(plain: dict[str, Any]) -> Iterator[Path]:
    """Where ours stand."""
    return (path for path, command in handlers(plain) if is_ours(command))


def hooks_of(plain: dict[str, Any]) -> tuple[dict[str, tuple[str, ...]], tuple[str, ...]]:
    """Our commands by event, and the events with hooks of others."""
    ours: dict[str, tuple[str, ...]] = {}
    others: dict[str, None] = {}
    for path, command in handlers(plain):
        event = str(path[1])
        if is_ours(command):
            ours[event] = (*ours.get(event, ()), command)
        else:
            others[event] = None
    return ours, tuple(others)
