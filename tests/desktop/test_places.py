"""Which sessions are looked for among the windows."""

from __future__ import annotations

from typing import Any, cast

from aimond.core.change import DetailsChanged, SessionAdded
from aimond.core.snapshot import SessionSnapshot
from aimond.desktop.places import Places


def test_a_session_is_looked_for_when_its_process_is_known() -> None:
    """Of sessions without one there can be thousands: other machines', in containers."""
    nowhere = cast("Any", None)  # nothing is asked of the desktop here
    places = Places(nowhere, nowhere)
    places.note(SessionAdded(SessionSnapshot(id="one", agent="codex")))
    assert not places.due.is_set()
    places.note(DetailsChanged(SessionSnapshot(id="one", agent="codex", pid=7)))
    assert places.due.is_set()
