"""Who wants no notifications at present: any program may ask for that, until it says otherwise or is gone."""

from __future__ import annotations

from typing import Final

MOST_OF_ONE: Final = 16
MOST: Final = 256


class TooMany(Exception):  # noqa: N818  (says what to do)
    """There is no room for another inhibition."""


class Inhibitions:
    """All that are held, by cookie. A caller is known by its unique name on the bus."""

    def __init__(self) -> None:
        self._held: dict[int, str] = {}
        self._last = 0

    def __bool__(self) -> bool:
        return bool(self._held)

    def add(self, caller: str) -> int:
        """A new one; its cookie is not 0. Raises TooMany."""
        if sum(caller == other for other in self._held.values()) >= MOST_OF_ONE:
            raise TooMany(f"one caller may hold {MOST_OF_ONE} inhibitions; end one first")
        if len(self._held) >= MOST:
            raise TooMany(f"there are {MOST} inhibitions already")
        self._last = self._last % (2**32 - 1) + 1
        while self._last in self._held:
            self._last = self._last % (2**32 - 1) + 1
        self._held[self._last] = caller
        return self._last

    def end(self, caller: str, cookie: int) -> None:
        """End one. Raises ValueError if that caller holds none of that cookie: nobody ends another's."""
        if self._held.get(cookie) != caller:
            raise ValueError(f"you hold no inhibition {cookie}")
        del self._held[cookie]

    def holds(self, caller: str) -> bool:
        """Whether that caller holds any."""
        return caller in self._held.values()

    def left(self, caller: str) -> None:
        """A caller is gone, and what it held with it."""
        self._held = {cookie: other for cookie, other in self._held.items() if other != caller}
