"""Attributes of a protobuf message, to be read and added to."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from typing import Any, Final

from opentelemetry.proto.common.v1.common_pb2 import AnyValue

Scalar = str | int | float | bool

_SCALARS: Final = {"string_value": str, "bool_value": bool, "int_value": int, "double_value": float}
_FIELDS: Final = {kind: field for field, kind in _SCALARS.items()}
_WHOLE: Final = re.compile(r"[+-]?[0-9]+").fullmatch
_LARGEST: Final = 2**63
_LONGEST: Final = 40  # characters that are read exactly; Python refuses to read 4,300 digits, of zeros too


class Attributes:
    """The ``attributes`` of a record, by key. Those that are empty, "" or no scalar read as absent."""

    __slots__ = ("_by_key", "_pairs")

    def __init__(self, pairs: Any) -> None:
        self._pairs = pairs
        self._by_key: dict[str, AnyValue] = {pair.key: pair.value for pair in pairs}

    def __contains__(self, key: str) -> bool:
        return key in self._by_key

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_key)

    def get(self, key: str) -> Scalar | None:
        """The value as it was sent."""
        value = self._by_key.get(key)
        field = value.WhichOneof("value") if value is not None else None
        if field not in _SCALARS:
            return None
        found: Scalar = getattr(value, field)
        return None if found == "" else found

    def text(self, key: str) -> str:
        """The value as text, "" when absent."""
        value = self.get(key)
        if isinstance(value, bool):
            return "true" if value else "false"
        return "" if value is None else str(value)

    def number(self, key: str) -> float | int | None:
        """The value, or the number that its text is; None when that is none."""
        value = self.get(key)
        if isinstance(value, bool) or value is None:
            return None
        try:
            number = float(value) if isinstance(value, str) else value
        except ValueError:
            return None
        return number if math.isfinite(number) and abs(number) < _LARGEST else None

    def whole(self, key: str) -> int | None:
        """The value as a whole number; text that is another number is none."""
        value = self.get(key)
        number = self.number(key)
        if number is None or (isinstance(value, str) and not _WHOLE(value)):
            return None
        return int(value) if isinstance(value, str) and len(value) <= _LONGEST else int(number)

    def set(self, key: str, value: Scalar) -> None:
        """Add the attribute, or replace it."""
        if key not in self._by_key:
            self._by_key[key] = self._pairs.add(key=key).value
        setattr(self._by_key[key], _FIELDS[type(value)], value)

    def remove(self, keys: Iterable[str]) -> None:
        """Remove those that are there."""
        gone = self._by_key.keys() & set(keys)
        if gone:
            kept = [pair for pair in self._pairs if pair.key not in gone]
            del self._pairs[:]
            self._pairs.extend(kept)
            self._by_key = {pair.key: pair.value for pair in self._pairs}
