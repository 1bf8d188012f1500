"""Who wants no notifications."""

from __future__ import annotations

import pytest

from aimond.core.inhibitions import MOST, MOST_OF_ONE, Inhibitions, TooMany


def test_they_hold_until_the_last_one_ends() -> None:
    held = Inhibitions()
    assert not held
    first, second = held.add(":1.1"), held.add(":1.2")
    assert first != second
    held.end(":1.1", first)
    assert (bool(held), held.holds(":1.1"), held.holds(":1.2")) == (True, False, True)
    held.left(":1.2")
    assert not held


def test_nobody_ends_what_another_one_holds() -> None:
    held = Inhibitions()
    cookie = held.add(":1.1")
    for caller, number in ((":1.2", cookie), (":1.1", cookie + 1), (":1.1", 0)):
        with pytest.raises(ValueError, match="you hold no inhibition"):
            held.end(caller, number)
    assert held


def test_there_is_a_bound_for_one_and_for_all() -> None:
    held = Inhibitions()
    for _ in range(MOST_OF_ONE):
        held.add(":1.1")
    with pytest.raises(TooMany, match="one caller"):
        held.add(":1.1")
    for number in range(MOST - MOST_OF_ONE):
        held.add(f":2.{number}")
    with pytest.raises(TooMany, match="already"):
        held.add(":3.1")
