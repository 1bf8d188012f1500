"""``make prove`` takes long and is run by hand: what it takes away must at least still be there."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.defences import DEFENCES, Defence

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("defence", DEFENCES, ids=lambda defence: defence.what)
def test_a_defence_and_the_test_that_holds_it_are_where_the_table_says(defence: Defence) -> None:
    file, _, name = defence.test.partition("::")
    assert (ROOT / defence.file).read_text().count(defence.text) == 1
    assert f"def {name.partition('[')[0]}(" in (ROOT / file).read_text()
