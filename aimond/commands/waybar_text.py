"""What a bar shows of the monitor: the JSON that Waybar reads (``return-type: json``), as Pango markup."""

from __future__ import annotations

import json
import unicodedata
from datetime import datetime
from html import escape
from typing import Any, Final

from aimond.commands.look import Session, amount, budgeted, cell, clock, counted, fit, look, money, table, used
from aimond.commands.mirror import Mirror

SHOWN: Final = 20
OFF: Final = "off"

_COLUMNS: Final = ("AGENT", "PROJECT", "STATE", "SINCE", "TOKENS", "COST")
_RIGHT_TO_LEFT: Final = {"R", "AL"}
_ISOLATE: Final = "\u2068{}\u2069"  # first strong isolate … pop directional isolate: Unicode 16, UAX 9


def line(mirror: Mirror, now: datetime) -> str:
    """One line of JSON; the same one as long as nothing that it shows changed on the same day."""
    return json.dumps(shown(mirror, now), ensure_ascii=False)


def shown(mirror: Mirror, now: datetime) -> dict[str, Any]:
    """``text`` and ``tooltip`` are Pango markup, ``alt`` and ``class`` the State of the monitor or "off",
    ``percentage`` how much of the tightest budget is spent, 0 to 100; not there where there is no budget.
    """
    if mirror.off:
        tooltip = escape(mirror.off)
        return {"text": "aimond –", "alt": OFF, "class": OFF, "tooltip": tooltip}
    state = fit(mirror.properties["State"], 16)
    budgets = mirror.budgets()
    return {
        "text": escape(_text(mirror)),
        "alt": state,
        "class": state,
        "tooltip": _tooltip(mirror, now),
        **({"percentage": min(100, int(100 * used(budgets[0])))} if budgets else {}),
    }


def _text(mirror: Mirror) -> str:
    """Counts by state, and today's cost; "", which hides the module, when there is neither."""
    parts = [f"{look(state).sign} {count}" for state, count in mirror.counts().items()]
    if mirror.properties["CostTodayBasis"] not in ("none", "unknown"):
        parts.append(money(mirror.properties["CostToday"], mirror.properties["CostTodayBasis"]))
    return "  ".join(parts)


def _tooltip(mirror: Mirror, now: datetime) -> str:
    properties, sessions = mirror.properties, mirror.by_urgency()
    lines = [f"<b>{escape(counted(mirror.counts()))}</b>"]
    if sessions:
        rows = table([list(_COLUMNS), *(_row(session, now) for session in sessions[:SHOWN])])
        lines += [f"<tt>{escape('  '.join(map(_isolated, row)).rstrip())}</tt>" for row in rows]
    if len(sessions) > SHOWN:
        lines.append(f"and {len(sessions) - SHOWN} more")
    if properties["TokensToday"]:
        cost = money(properties["CostToday"], properties["CostTodayBasis"])
        lines.append(escape(f"today: {amount(properties['TokensToday'])} tokens, {cost}"))
    lines += [escape(budgeted(budget)) for budget in mirror.budgets()[:SHOWN]]
    if properties["Inhibited"]:
        lines.append("notifications are inhibited")
    return "\n".join(lines)


def _row(session: Session, now: datetime) -> list[str]:
    since = clock(session["StateSince"], now)
    return [since if column == "SINCE" else cell(session, column) for column in _COLUMNS]


def _isolated(text: str) -> str:
    """The text, so that its direction does not turn around what stands beside it."""
    turns = any(unicodedata.bidirectional(char) in _RIGHT_TO_LEFT for char in text)
    return _ISOLATE.format(text) if turns else text
