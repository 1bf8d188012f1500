"""JSON, read with the place of every value: strict, as the CLIs read it; comments where one accepts them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

BOM: Final = "\ufeff"
COMMENT: Final = re.compile(r"//[^\n\r]*|/\*.*?\*/", re.DOTALL)

_SPACE: Final = re.compile(r"[ \t\r\n]*")
_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_WORDS: Final = {"true": True, "false": False, "null": None}
_CLOSING: Final = {"{": "}", "[": "]"}
_DEPTH: Final = 100
_DECODER: Final = json.JSONDecoder()


class Unreadable(ValueError):  # noqa: N818
    """The text is not what it should be; ``line`` says where."""

    def __init__(self, line: int, why: str) -> None:
        super().__init__(why)
        self.line = line


@dataclass(slots=True)
class Value:
    """A value and where it stands; of a container also its ``items``, in order."""

    start: int
    end: int = 0
    plain: Any = None
    items: list[Item] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Item:
    """A member or an element; ``start`` is its key's, or its value's."""

    start: int
    key: str | int
    value: Value


def read(text: str, *, comments: bool) -> Value | None:
    """The object that a text holds; None where it holds nothing but space and comments. Raises Unreadable."""
    return _Reader(text, comments=comments).document()


class _Reader:
    def __init__(self, text: str, *, comments: bool) -> None:
        self.text, self.comments = text, comments
        self.position = 1 if text.startswith(BOM) else 0

    def document(self) -> Value | None:
        self._space()
        if self.position == len(self.text):
            return None
        if not self._at("{"):
            raise self._wrong("not an object")
        root = self._value(0)
        self._space()
        if self.position != len(self.text):
            raise self._wrong("something after the end of the object")
        return root

    def _value(self, depth: int) -> Value:
        value = Value(self.position)
        if depth > _DEPTH:
            raise self._wrong("nested too deeply")
        if self._at("{"):
            self._container(value, self._member, depth)
            value.plain = {item.key: item.value.plain for item in value.items}
        elif self._at("["):
            self._container(value, self._element, depth)
            value.plain = [item.value.plain for item in value.items]
        elif self._at('"'):
            value.plain = self._string()
        else:
            value.plain = self._number_or_word()
        value.end = self.position
        return value

    def _container(self, value: Value, item: Callable[[int, int], Item], depth: int) -> None:
        closing = _CLOSING[self.text[self.position]]
        self.position += 1
        self._space()
        while not self._takes(closing):
            value.items.append(item(len(value.items), depth + 1))
            self._space()
            if self._takes(","):
                self._space()
                if self._at(closing):
                    raise self._wrong(f"a comma before {closing}")
            elif not self._at(closing):
                raise self._wrong(f"expected , or {closing}")

    def _member(self, _number: int, depth: int) -> Item:
        start = self.position
        if not self._at('"'):
            raise self._wrong("expected a key in double quotes")
        key = self._string()
        self._space()
        if not self._takes(":"):
            raise self._wrong("expected :")
        self._space()
        return Item(start, key, self._value(depth))

    def _element(self, number: int, depth: int) -> Item:
        return Item(self.position, number, self._value(depth))

    def _string(self) -> str:
        try:
            string, self.position = _DECODER.raw_decode(self.text, self.position)
        except json.JSONDecodeError as error:
            raise self._wrong(error.msg) from None
        return str(string)

    def _number_or_word(self) -> Any:
        number = _NUMBER.match(self.text, self.position)
        if number:
            self.position = number.end()
            return float(number[0]) if len(number[0]) > 300 else json.loads(number[0])
        for word, plain in _WORDS.items():
            if self._takes(word):
                return plain
        raise self._wrong("expected a value")

    def _at(self, sign: str) -> bool:
        return self.text.startswith(sign, self.position)

    def _takes(self, sign: str) -> bool:
        found = self._at(sign)
        self.position += len(sign) if found else 0
        return found

    def _space(self) -> None:
        while True:
            space = _SPACE.match(self.text, self.position)
            self.position = space.end() if space else self.position
            comment = COMMENT.match(self.text, self.position)
            if comment is None:
                return
            if not self.comments:
                raise self._wrong("a comment, which this CLI does not accept")
            self.position = comment.end()

    def _wrong(self, why: str) -> Unreadable:
        return Unreadable(self.text.count("\n", 0, self.position) + 1, why)
