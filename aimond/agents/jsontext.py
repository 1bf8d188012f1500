"""JSON, edited as text: what an edit does not mean to change keeps every byte, comments too."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from aimond.agents.jsonread import BOM, COMMENT, Item, Value, read

Path = Sequence[str | int]


@dataclass(frozen=True, slots=True)
class JsonText:
    """A document whose root is an object; ``root`` is None while the text holds none."""

    text: str
    comments: bool
    root: Value | None

    @classmethod
    def parse(cls, text: str, *, comments: bool = False) -> JsonText:
        """Read a document. Raises Unreadable."""
        return cls(text, comments, read(text, comments=comments))

    @property
    def plain(self) -> dict[str, Any]:
        """The document as plain values."""
        return self.root.plain if self.root else {}

    def at(self, path: Path) -> Value | None:
        """The value at a path; of a key that is there twice, the one that counts: the last."""
        value = self.root
        for key in path:
            value = next((item.value for item in reversed(value.items) if item.key == key), None) if value else None
        return value

    def put(self, path: Path, plain: Any) -> JsonText:
        """Set a value. What is new comes last, in objects that are made where they are missing."""
        if self.root is None:
            return self._with_root().put(path, plain)
        there = self.at(path)
        if there is not None:
            return self._splice(there.start, there.end, self._written(plain, self._margin(there.start)))
        *above, key = path
        if self.at(above) is None:
            return self.put(above, {key: plain})
        return self._add(above, plain, f"{json.dumps(key, ensure_ascii=False)}: ")

    def append(self, path: Path, plain: Any) -> JsonText:
        """Add an element to the end of an array, which is made if it is missing."""
        return self._add(path, plain, "") if self.at(path) else self.put(path, [plain])

    def drop(self, path: Path) -> JsonText:
        """Take out a member or an element with its comma, if it is there; comments stay."""
        *above, key = path
        container = self.at(above)
        places = [place for place, item in enumerate(container.items) if item.key == key] if container else []
        if container is None or not places:
            return self
        place = places[-1]
        item, close = container.items[place], container.end - 1
        if place + 1 < len(container.items):
            comma = self._comma(item.value.end)
            space = len(self.text[comma + 1 :]) - len(self.text[comma + 1 :].lstrip(" \t\r\n"))
            return self._splice(item.start, comma + 1 + space, "")
        if place:
            comma = self._comma(container.items[place - 1].value.end)
            start = self._lead(comma + 1, item, close)
            return self._again(self.text[:comma] + self.text[comma + 1 : start] + self.text[item.value.end :])
        start = self._lead(container.start + 1, item, close)
        rest = self.text[container.start + 1 : start] + self.text[item.value.end : close]
        return self._splice(container.start + 1, close, rest if rest.strip() else "")

    # -- how it is written ----------------------------------------------------------------------------

    def _add(self, path: Path, plain: Any, key: str) -> JsonText:
        container = self.at(path)
        assert container is not None  # noqa: S101 - the callers have looked
        items, close = container.items, container.end - 1
        last = items[-1].value.end if items else container.start + 1
        if items and "\n" not in self.text[container.start : close]:
            return self._splice(last, last, f", {key}{json.dumps(plain, ensure_ascii=False)}")
        where = self._said(last, close)
        margin = self._margin(items[-1].start) if items else self._margin(container.start) + self._unit
        new = f"{self._newline}{margin}{key}{self._written(plain, margin)}"
        if "\n" not in self.text[where:close]:
            new += self._newline + self._margin(container.start)
        return self._again(self.text[:last] + "," * bool(items) + self.text[last:where] + new + self.text[where:])

    def _with_root(self) -> JsonText:
        begun = not self.text.strip(BOM + " \t\r\n") or self.text.endswith("\n")
        return self._again(f"{self.text}{'' if begun else self._newline}{{}}{self._newline}")

    def _splice(self, start: int, end: int, new: str) -> JsonText:
        return self._again(self.text[:start] + new + self.text[end:])

    def _again(self, text: str) -> JsonText:
        return JsonText.parse(text, comments=self.comments)

    def _written(self, plain: Any, margin: str) -> str:
        return json.dumps(plain, indent=self._unit, ensure_ascii=False).replace("\n", self._newline + margin)

    @property
    def _newline(self) -> str:
        return "\r\n" if "\r\n" in self.text else "\n"

    @property
    def _unit(self) -> str:
        """One step of indentation: that of the first member, two spaces where nothing shows."""
        first = self.root.items[0].start if self.root and self.root.items else 0
        return self._margin(first) or "  "

    def _margin(self, position: int) -> str:
        """The space at the beginning of the line."""
        line = self.text[self.text.rfind("\n", 0, position) + 1 : position].lstrip(BOM)
        return line[: len(line) - len(line.lstrip(" \t"))]

    # -- between values: space, comments and commas ---------------------------------------------------

    def _comma(self, position: int) -> int:
        while self.text[position] != ",":
            comment = COMMENT.match(self.text, position)
            position = comment.end() if comment else position + 1
        return position

    def _said(self, start: int, end: int) -> int:
        """Behind the last comment; the start where there is none."""
        position = last = start
        while position < end:
            comment = COMMENT.match(self.text, position)
            position = comment.end() if comment else position + 1
            last = position if comment else last
        return last

    def _lead(self, start: int, item: Item, close: int) -> int:
        """Where the last item of its container begins, with the space before it; a line's comment keeps its end."""
        said = self._said(start, item.start)
        return item.start if said > start and "\n" not in self.text[item.value.end : close] else said
