"""A notice as the notification daemon wants it: the arguments of Notify, by what that daemon can do."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any, Final

from dbus_fast import Variant

from aimond.core.notice import Kind, Notice

APPLICATION: Final = "aimond"
# The names of the .desktop file and of the icon.
ID: Final = "org.ai.Monitor"
DEFAULT, FOCUS, DISMISS = "default", "focus", "dismiss"

_CRITICAL: Final = (Kind.WAITING,)
_MARKUP: Final = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
_BY_THE_SERVER, _NEVER = -1, 0


def looks(notice: Notice, replaces: int, can_focus: bool, capabilities: Collection[str]) -> list[Any]:
    """The arguments of Notify; ``replaces``: the number of the one whose place it takes, 0 for a new one."""
    summary, body = notice.summary, notice.body
    if "body" not in capabilities and body:
        summary, body = f"{summary}: {body.partition(chr(10))[0]}", ""
    if "body-markup" in capabilities:
        body = body.translate(_MARKUP)
    critical = notice.kind in _CRITICAL
    hints = {
        "urgency": Variant("y", 2 if critical else 1),
        "category": Variant("s", f"x-aimond.{notice.kind}"),
        "desktop-entry": Variant("s", ID),
    }
    if icon := _icon():
        hints["image-path"] = Variant("s", icon)
    actions = _actions(can_focus) if "actions" in capabilities else []
    expires = _NEVER if critical else _BY_THE_SERVER
    return [APPLICATION, replaces, ID, summary, body, actions, hints, expires]


def _actions(can_focus: bool) -> list[str]:
    if not can_focus:
        return [DEFAULT, "Dismiss", DISMISS, "Dismiss"]
    return [DEFAULT, "Focus terminal", FOCUS, "Focus terminal", DISMISS, "Dismiss"]


def icon_file() -> Path:
    """Where the icon is: beside this module once installed, ``data/`` in a source checkout."""
    installed = Path(__file__).with_name(f"{ID}.svg")
    if installed.exists():
        return installed
    return Path(__file__).parents[2] / "data/icons/hicolor/scalable/apps" / installed.name


def _icon() -> str:
    return _ICON.as_uri() if _ICON else ""


_ICON: Final = icon_file() if icon_file().exists() else None
