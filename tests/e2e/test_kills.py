"""Fifty kills of a real monitor while everything there is is sent to it: what comes of it is the truth."""

from __future__ import annotations

import random
from pathlib import Path

from tests.daemon.mortal import Mortal, mortal, ordeal
from tests.daemon.sums import GROUPS, by_name, midnight, noon, of_today, posix, said, told, truth

EVER = "2025-01-01/2034-12-31"
ROUNDS, KILLS = 5, 10


async def test_fifty_kills_and_a_resend_come_to_the_truth(tmp_path: Path) -> None:
    tapes = of_today()
    spine, zone = truth(tapes), noon()
    expected = {
        group: {name: told(spent) for name, spent in by_name(spine, group).items()}
        for group in ("agent", "model", "session")
    }
    ledger = spine.tracker.ledger
    chance = random.Random(50)
    async with mortal(tmp_path, TZ=posix(zone)) as monitor:
        for _ in range(ROUNDS):
            await ordeal(monitor, chance.sample(tapes, len(tapes) * 2 // 3), KILLS, chance)
            await an_orderly_restart_loses_nothing(monitor)
            await monitor.kill()
        await monitor.start()
        await monitor.ready()
        await monitor.send(tapes)
        await monitor.until(EVER, expected)
        await monitor.until(EVER, {"project": {"": told(ledger.since(0))}})
        assert monitor.integrity() == ["ok"]
        today = midnight(zone)
        day, month = (round(start.timestamp()) * 1_000_000 for start in (today, today.replace(day=1)))
        await monitor.until("today", {"project": {"": told(ledger.since(day))}})
        await monitor.until("month", {"project": {"": told(ledger.since(month))}})
        days = await monitor.usage(EVER, "day")
        assert said(days[-1]) == told(ledger.since(day))
        assert sum(row["Calls"] for row in days) == ledger.since(0).requests
        shown, totals = await monitor.properties(), ledger.totals(day, month)
        assert shown["TokensToday"] == totals.tokens_today
        assert shown["CostTodayBasis"] == totals.cost_today_basis
        assert abs(shown["CostToday"] - float(totals.cost_today)) < 1e-9
        assert abs(shown["CostMonth"] - float(totals.cost_month)) < 1e-9


async def an_orderly_restart_loses_nothing(monitor: Mortal) -> None:
    before = {group: {row["Group"]: said(row) for row in await monitor.usage(EVER, group)} for group in GROUPS}
    await monitor.stop()
    await monitor.start()
    await monitor.ready()
    await monitor.until(EVER, before)
