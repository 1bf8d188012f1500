"""TOML, edited statement by statement: what an edit does not mean to change keeps every byte, comments too.

tomlkit alone would not do: it puts a new key between the next table and that table's comment (0.15.2). So it only
edits inside single statements, and ``aimond.toml`` says what they mean."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import tomlkit

from aimond import toml
from aimond.agents.jsonread import BOM, Unreadable

Path = tuple[str, ...]

_TOKEN: Final = re.compile(
    r'"""(?:[^\\]|\\.)*?"{3,5}'
    r"|'''.*?'{3,5}"
    r'|"(?:[^"\\\n]|\\.)*"'
    r"|'[^'\n]*'"
    r"|\#[^\n]*|[\[\]{}\n=]|[^\"'#\[\]{}\n=]+",
    re.DOTALL,
)
_DEPTH: Final = {"[": 1, "{": 1, "]": -1, "}": -1}
_AT_LINE: Final = re.compile(r"\(at line (\d+), column \d+\)|\(at end of document\)")


@dataclass(frozen=True, slots=True)
class Statement:
    """A header or a pair, on whole lines. ``kind``: table, array or pair; ``path``: from the top; ``below``: the place
    of the header that it stands under, its own for a header, -1 at the top."""

    start: int
    end: int
    kind: str
    path: Path
    key: Path
    below: int


@dataclass(frozen=True, slots=True)
class TomlText:
    """A document."""

    text: str
    plain: dict[str, Any]
    statements: tuple[Statement, ...]

    @classmethod
    def parse(cls, text: str) -> TomlText:
        """Read a document. Raises Unreadable."""
        try:
            plain = toml.parse(text.removeprefix(BOM))
        except ValueError as error:
            place = _AT_LINE.search(str(error))
            line = int(place[1]) if place and place[1] else text.count("\n") + 1
            raise Unreadable(line, _AT_LINE.sub("", str(error)).strip()) from None
        return cls(text, plain, tuple(_statements(text)))

    # -- finding --------------------------------------------------------------------------------------

    def find(self, path: Path, kind: str = "pair") -> list[int]:
        """The places of the statements of that path."""
        return [place for place, each in enumerate(self.statements) if (each.kind, each.path) == (kind, path)]

    def within(self, header: int) -> range:
        """The places of what stands directly under a header, with it."""
        end = next((i for i in range(header + 1, len(self.statements)) if self.statements[i].below != header), None)
        return range(header, len(self.statements) if end is None else end)

    # -- changing -------------------------------------------------------------------------------------

    def set(self, path: Path, literal: str) -> TomlText:
        """Set a key of the top, or of a table: where its kind stand, else in a table of its own at the end."""
        *above, key = path
        table = tuple(above)
        headers, dotted = self.find(table, "table"), [s for s in self.statements if s.below < 0 and len(s.key) > 1]
        if there := self.find(path):
            return self.inside(there[0], lambda node: _put(node, self.statements[there[0]].key, literal))
        if not table:
            return self._at_top(f"{key} = {literal}")
        if headers:
            return self.after(self.within(headers[0])[-1], f"{key} = {literal}")
        if beside := [self.statements.index(s) for s in dotted if s.path[:-1] == table]:
            return self.after(beside[-1], f"{'.'.join(path)} = {literal}")
        if inline := self.find(table):
            return self.inside(inline[0], lambda node: _put(node, (*self.statements[inline[0]].key, key), literal))
        return self.block(f"[{'.'.join(table)}]", f"{key} = {literal}")

    def unset(self, path: Path) -> TomlText:
        """Take out a key, however it is written."""
        if pairs := self.find(path):
            return self.drop(pairs[0], pairs[0])
        if inline := self.find(path[:-1]):
            return self.inside(inline[0], lambda node: _remove(node, (*self.statements[inline[0]].key, path[-1])))
        headers = [i for i, each in enumerate(self.statements) if i == each.below and each.path[: len(path)] == path]
        return self.drop(headers[0], self.within(headers[0])[-1]).unset(path) if headers else self

    def drop_empty(self, table: Path) -> TomlText:
        """Take out the header of a table with nothing under it; tables within it stay."""
        headers = self.find(table, "table")
        if not headers or len(self.within(headers[0])) > 1:
            return self
        return self.drop(headers[0], headers[0])

    def block(self, *lines: str) -> TomlText:
        """Add lines to the end, with an empty one before."""
        newline = self.newline
        begun = "" if not self.text.strip(BOM) else newline if self.text.endswith("\n") else newline * 2
        return self.parse(self.text + begun + newline.join(lines) + newline)

    def inside(self, place: int, edit: Callable[[Any], None]) -> TomlText:
        """Edit one statement, given as tomlkit's document."""
        statement = self.statements[place]
        document = tomlkit.parse(self.text[statement.start : statement.end])
        edit(document)
        return self._splice(statement.start, statement.end, tomlkit.dumps(document))

    def drop(self, first: int, last: int) -> TomlText:
        """Take out statements, and the empty line before them, or after them at the very top."""
        start, end = self.statements[first].start, self.statements[last].end
        before, after = self.text[:start], self.text[end:]
        if re.search(r"(?:^|\n)\r?\n\Z", before):
            start -= 2 if before.endswith("\r\n") else 1
        elif not before.strip(BOM) and (empty := re.match(r"\r?\n", after)):
            end += empty.end()
        return self._splice(start, end, "")

    def _at_top(self, line: str) -> TomlText:
        top = [place for place, each in enumerate(self.statements) if each.below < 0]
        if top:
            return self.after(top[-1], line)
        if not self.statements:
            return self.block(line)
        start = len(self.text) - len(self.text.removeprefix(BOM))
        return self._splice(start, start, line + self.newline * 2)

    def after(self, place: int, line: str) -> TomlText:
        """Add a line behind a statement."""
        end = self.statements[place].end
        begun = "" if self.text[:end].endswith("\n") else self.newline
        return self._splice(end, end, begun + line + self.newline)

    def _splice(self, start: int, end: int, new: str) -> TomlText:
        return self.parse(self.text[:start] + new + self.text[end:])

    @property
    def newline(self) -> str:
        return "\r\n" if "\r\n" in self.text else "\n"


def _put(node: Any, path: Path, literal: str) -> None:
    for key in path[:-1]:
        node = node[key]
    node[path[-1]] = tomlkit.value(literal)


def _remove(node: Any, path: Path) -> None:
    for key in path[:-1]:
        node = node[key]
    if path[-1] in node:
        del node[path[-1]]


def _statements(text: str) -> Iterator[Statement]:
    above: Path = ()
    position, header, place = len(text) - len(text.removeprefix(BOM)), -1, 0
    while position < len(text):
        line_end = text.find("\n", position) + 1 or len(text)
        line = text[position:line_end].strip()
        if not line or line.startswith("#"):
            position = line_end
            continue
        end, equals = _end(text, position)
        source = text[position:end]
        if line.startswith("["):
            header, above = place, _keys(toml.parse(source))
            yield Statement(position, end, "array" if line.startswith("[[") else "table", above, above, place)
        else:
            key = _keys(toml.parse(text[position:equals] + "= 0"))
            yield Statement(position, end, "pair", above + key, key, header)
        position, place = end, place + 1


def _end(text: str, position: int) -> tuple[int, int]:
    """Where a statement's last line ends, and where its first = stands."""
    depth, equals = 0, -1
    for token in _TOKEN.finditer(text, position):
        sign = token[0]
        depth += _DEPTH.get(sign, 0)
        if sign == "=" and equals < 0:
            equals = token.start()
        elif sign == "\n" and depth <= 0:
            return token.end(), equals
    return len(text), equals


def _keys(plain: Any) -> Path:
    path: list[str] = []
    while isinstance(plain, dict | list) and plain:
        if isinstance(plain, list):
            plain = plain[0]
        else:
            path.append(next(iter(plain)))
            plain = plain[path[-1]]
    return tuple(path)
