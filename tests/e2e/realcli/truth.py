"""The truth of a run: what the mock billed, what the driver did, which sessions the CLI itself recorded."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from tests.e2e.realcli.settings import Json

if TYPE_CHECKING:
    from tests.e2e.realcli.run import Run


def truth_of(run: Run) -> Json:
    """What truth.json says of a run that is over; the README has its keys."""
    places = {str(path): label for label, path in run.projects.items()}
    sessions = run.cli.sessions(run.options.home, run.started)
    usage: Counter[str] = Counter()
    for row in run.rows(outcome="completed"):
        usage.update(flatten(row["usage"] or {}))
    run.check(not run.watch.outside, f"talked to {sorted(run.watch.outside)}")
    outcomes = Counter(row["outcome"] for row in run.mock.rows)
    return {
        "cli": run.cli.name,
        "version": run.cli.version,
        "scenario": run.scenario,
        "result": "failed" if run.problems else "ok",
        "problems": run.problems,
        "started_ns": int(run.started * 1e9),
        "seconds": round(run.seconds, 2),
        "home": str(run.options.home),
        "otlp": run.options.otlp and run.options.otlp.__dict__,
        "otlp_requests": run.options.sink and dict(run.options.sink.counts),
        "sessions": [{"label": places.get(session.cwd), **session.__dict__} for session in sessions],
        "requests": run.mock.rows,
        "marks": run.marks,
        "totals": {"requests": len(run.mock.rows), **outcomes, "usage": dict(usage)},
        "other_paths": dict(run.mock.other_paths),
        "outside_connections": sorted(run.watch.outside),
        "leftovers": run.leftovers,
    }


def flatten(usage: Json, prefix: str = "") -> dict[str, int]:
    """Numeric fields of a nested dictionary, with dotted names."""
    flat: dict[str, int] = {}
    for key, value in usage.items():
        if isinstance(value, dict):
            flat |= flatten(value, f"{prefix}{key}.")
        elif isinstance(value, int) and not isinstance(value, bool):
            flat[prefix + key] = value
    return flat
