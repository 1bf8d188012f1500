"""A small model of a terminal's screen: as much of an xterm as the CLIs need."""

from __future__ import annotations

import codecs
import re
import unicodedata

TOKEN = re.compile(
    r"\x1b\[(?P<prefix>[<-?]*)(?P<params>[0-?]*)(?P<inter>[ -/]*)(?P<final>[@-~])"
    r"|\x1b\](?P<osc>[^\x07\x1b]*)(?:\x07|\x1b\\)"
    r"|\x1b[PX^_][^\x1b]*\x1b\\"
    r"|\x1b[ -/]+[0-~]"
    r"|\x1b(?P<esc>[0-OQ-WYZ\\`-~])"
    r"|(?P<control>[\x00-\x1a\x1c-\x1f\x7f])"
    r"|(?P<text>[^\x00-\x1f\x7f]+)"
)


class Screen:
    """The part of an xterm that CLIs need: a grid of characters, and answers to the queries they send."""

    def __init__(self, columns: int, rows: int) -> None:
        self.columns, self.rows = columns, rows
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._pending = ""
        self._reset()

    def _reset(self) -> None:
        self.grid = [self._blank() for _ in range(self.rows)]
        self.x = self.y = 0
        self._saved = (0, 0)
        self._top, self._bottom = 0, self.rows - 1

    def _blank(self) -> list[str]:
        return [" "] * self.columns

    def text(self) -> str:
        """The visible lines, without trailing blanks and empty lines."""
        lines = ("".join(row).rstrip() for row in self.grid)
        return "\n".join(line for line in lines if line)

    def feed(self, data: bytes) -> bytes:
        """Take the program's output; returns what the terminal answers."""
        text = self._pending + self._decoder.decode(data)
        self._pending = ""
        answer = ""
        pos = 0
        while pos < len(text):
            token = TOKEN.match(text, pos)
            if token is None:  # an escape sequence, incomplete or unknown
                if len(text) - pos < 4096:
                    self._pending = text[pos:]
                    break
                pos += 1
                continue
            pos = token.end()
            if token["text"]:
                self._print(token["text"])
            elif token["control"]:
                self._control(token["control"])
            elif token["final"]:
                answer += self._csi(token["prefix"], token["params"], token["inter"], token["final"])
            elif token["osc"]:
                answer += self._osc(token["osc"])
            elif token["esc"]:
                self._escape(token["esc"])
        return answer.encode()

    def _print(self, text: str) -> None:
        for char in text:
            if unicodedata.combining(char) or char in "\u200d\ufe0f":
                continue
            width = 2 if unicodedata.east_asian_width(char) in "WF" else 1
            if self.x + width > self.columns:
                self.x = 0
                self._line_feed()
            row = self.grid[self.y]
            row[self.x] = char
            if width == 2:
                row[self.x + 1] = ""
            self.x += width

    def _control(self, char: str) -> None:
        if char == "\r":
            self.x = 0
        elif char in "\n\v\f":
            self._line_feed()
        elif char == "\b":
            self.x = max(self.x - 1, 0)
        elif char == "\t":
            self.x = min((self.x // 8 + 1) * 8, self.columns - 1)

    def _line_feed(self) -> None:
        if self.y == self._bottom:
            self._scroll_up(self._top, 1)
        else:
            self.y = min(self.y + 1, self.rows - 1)

    def _scroll_up(self, first: int, count: int) -> None:
        for _ in range(min(count, self.rows)):
            del self.grid[first]
            self.grid.insert(self._bottom, self._blank())

    def _scroll_down(self, first: int, count: int) -> None:
        for _ in range(min(count, self.rows)):
            del self.grid[self._bottom]
            self.grid.insert(first, self._blank())

    def _escape(self, char: str) -> None:
        if char == "7":
            self._saved = (self.x, self.y)
        elif char == "8":
            self.x, self.y = self._saved
        elif char == "D":
            self._line_feed()
        elif char == "E":
            self.x = 0
            self._line_feed()
        elif char == "M":
            if self.y == self._top:
                self._scroll_down(self._top, 1)
            else:
                self.y = max(self.y - 1, 0)
        elif char == "c":
            self._reset()

    @staticmethod
    def _osc(body: str) -> str:
        code, _, value = body.partition(";")
        if value == "?" and code in ("10", "11"):
            return f"\x1b]{code};rgb:{'dddd/dddd/dddd' if code == '10' else '1010/1010/1010'}\x1b\\"
        return ""

    def _csi(self, prefix: str, params: str, inter: str, final: str) -> str:
        numbers = [int("".join(filter(str.isdigit, part.split(":")[0])) or 0) for part in params.split(";")]
        first = numbers[0]
        second = numbers[1] if len(numbers) > 1 else 0
        if prefix or inter:
            return self._private(prefix, inter, final, first)
        if final in "ABCDEFG`Hfdsu":
            self._move(final, max(first, 1), max(second, 1))
        elif final in "JKX@P":
            self._edit(final, first, max(first, 1))
        elif final in "LMSTr":
            self._roll(final, max(first, 1), second)
        elif final == "n":
            return f"\x1b[{self.y + 1};{min(self.x, self.columns - 1) + 1}R" if first == 6 else "\x1b[0n"
        elif final == "c":
            return "\x1b[?62;22c"
        elif final == "t" and first == 18:
            return f"\x1b[8;{self.rows};{self.columns}t"
        return ""

    def _move(self, final: str, first: int, second: int) -> None:
        if final in "ABEF":
            self.y = min(max(self.y + (first if final in "BE" else -first), 0), self.rows - 1)
            if final in "EF":
                self.x = 0
        elif final in "CD":
            self.x = min(max(self.x + (first if final == "C" else -first), 0), self.columns - 1)
        elif final in "G`":
            self.x = min(first, self.columns) - 1
        elif final in "Hf":
            self.y, self.x = min(first, self.rows) - 1, min(second, self.columns) - 1
        elif final == "d":
            self.y = min(first, self.rows) - 1
        elif final == "s":
            self._saved = (self.x, self.y)
        elif final == "u":
            self.x, self.y = self._saved

    def _edit(self, final: str, mode: int, count: int) -> None:
        row = self.grid[self.y]
        if final == "J":
            if mode == 0:
                self._erase(self.y, self.x, self.columns)
            elif mode == 1:
                self._erase(self.y, 0, self.x + 1)
            for y in range(self.rows):
                if mode >= 2 or (mode == 0 and y > self.y) or (mode == 1 and y < self.y):
                    self.grid[y] = self._blank()
        elif final == "K":
            self._erase(self.y, self.x if mode == 0 else 0, self.x + 1 if mode == 1 else self.columns)
        elif final == "X":
            self._erase(self.y, self.x, min(self.x + count, self.columns))
        elif final == "@":
            self.grid[self.y] = (row[: self.x] + [" "] * count + row[self.x :])[: self.columns]
        elif final == "P":
            self.grid[self.y] = (row[: self.x] + row[self.x + count :] + [" "] * count)[: self.columns]

    def _roll(self, final: str, first: int, second: int) -> None:
        if final == "r":
            self._top, self._bottom = first - 1, (second or self.rows) - 1
            self.x = self.y = 0
        elif final in "LT":
            self._scroll_down(self.y if final == "L" else self._top, first)
        else:
            self._scroll_up(self.y if final == "M" else self._top, first)

    def _private(self, prefix: str, inter: str, final: str, first: int) -> str:
        if prefix == "?" and final in "hl" and first in (47, 1047, 1049):
            self._reset()
        elif prefix == "?" and inter == "$" and final == "p":
            return f"\x1b[?{first};0$y"  # mode not recognized
        elif prefix == ">" and final == "c":
            return "\x1b[>41;390;0c"
        return ""

    def _erase(self, y: int, start: int, end: int) -> None:
        self.grid[y][start:end] = [" "] * (min(end, self.columns) - start)
