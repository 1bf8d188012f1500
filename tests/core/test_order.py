"""Who comes first of many whose ranks keep changing: as if all were looked at each time."""

from __future__ import annotations

import random

from aimond.core.order import Order


def test_it_is_as_if_all_were_sorted_each_time() -> None:
    dice, order = random.Random(7), Order[str]()
    ranks: dict[str, tuple[int, int]] = {}
    for turn in range(5_000):
        key, rank = f"k{dice.randrange(40)}", dice.randrange(20)
        if dice.random() < 0.2:
            order.drop(key)
            ranks.pop(key, None)
        elif key not in ranks or ranks[key][0] != rank:
            order.put(key, rank)
            ranks[key] = rank, turn
        else:
            order.put(key, rank)
        everybody = sorted(ranks, key=lambda each: ranks[each])
        assert order.first == ((ranks[everybody[0]][0], everybody[0]) if everybody else None)
        assert order.until(rank) == [each for each in everybody if ranks[each][0] <= rank]
        assert len(order) == len(ranks)


def test_ranks_that_have_changed_do_not_pile_up() -> None:
    order = Order[str]()
    order.put("first", 0)  # so that nothing else ever comes up
    for rank in range(1, 10_000):
        order.put("second", rank)
    assert len(order._heap) < 100
    assert order.first == (0, "first")
