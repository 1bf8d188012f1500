"""What metrics have counted of one session, model by model, held against the calls that were counted."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from aimond.core import event as ev
from aimond.core.evidence import Source
from aimond.core.usage import Spent, Usage

SERIES_KEPT: Final = 512
MODELS_KEPT: Final = 64
TOKENS: Final = ("input", "cache_read", "cache_write", "output")
COST: Final = "cost"
NANO: Final = Decimal("1e-9")  # metrics add up doubles
# A point's key says all of it, so that a later run of the monitor knows what was measured, by the keys it counted.
_MARK: Final = "measured"
_APART: Final = "\t"


def key_of(kind: str, model: str, series: str, began: int, at: int, amount: Decimal, cumulative: bool) -> str:
    """The key of a point of a metric."""
    return _APART.join((_MARK, kind, model, series, str(began), str(at), str(amount), str(int(cumulative))))


class Measured:
    """The sums of one session's counters."""

    __slots__ = ("_last", "_points", "_sums")

    def __init__(self) -> None:
        self._last: dict[str, ev.UsageMeasured] = {}
        self._sums: dict[tuple[str, str], Decimal] = {}
        self._points: dict[tuple[str, str, str, int], Decimal] = {}

    def add(self, point: ev.UsageMeasured) -> None:
        """Take a point in. Those that are not cumulative must come once."""
        last = self._last.get(point.model)
        if last is None and len(self._last) >= MODELS_KEPT:
            return
        of, amount = (point.model, point.kind), point.amount
        if point.cumulative:
            series = (*of, point.series, point.began)
            amount -= self._points.get(series, Decimal(0))
            if amount <= 0:
                return
            self._points[series] = point.amount
            if len(self._points) > SERIES_KEPT:
                del self._points[next(iter(self._points))]
        self._sums[of] = self._sums.get(of, Decimal(0)) + amount
        if last is None or point.at >= last.at:
            self._last[point.model] = point

    def restore(self, agent: str, session: str, keys: Iterable[str]) -> None:
        """Take over what an earlier run was told, from the keys of all that it counted."""
        common: dict[str, Any] = {"agent": agent, "session": session, "source": Source.LOG}
        for key in keys:
            mark, *said = key.split(_APART)
            if mark != _MARK or len(said) != 7:
                continue
            kind, model, series, began, at, amount, cumulative = said
            try:
                more: dict[str, Any] = {"amount": Decimal(amount), "began": int(began), "at": int(at)}
            except (InvalidOperation, ValueError):
                continue
            point = ev.UsageMeasured(
                **common, **more, model=model, kind=kind, series=series, cumulative=cumulative == "1"
            )
            self.add(point)

    @property
    def models(self) -> list[str]:
        """Of which something was measured."""
        return list(self._last)

    @property
    def until(self) -> int:
        """The time of the newest point."""
        return max((point.at for point in self._last.values()), default=0)

    def at(self, model: str) -> int:
        """The time of the newest point of that model."""
        return self._last[model].at

    def beyond(self, model: str, calls: Spent) -> ev.ModelCallFinished | None:
        """What was measured of that model beyond those calls, as if it were one more; None if nothing was."""
        last = self._last.get(model)
        more = {kind: int(self._sums.get((model, kind), 0)) - getattr(calls.usage, kind) for kind in TOKENS}
        usage = Usage(**{kind: max(0, count) for kind, count in more.items()})
        if last is None or not usage:
            return None
        paid = self._sums.get((model, COST))
        return ev.ModelCallFinished(
            agent=last.agent,
            session=last.session,
            at=last.at,
            source=last.source,
            model=model,
            provider=last.provider,
            usage=usage,
            cost=None if paid is None else max(Decimal(0), (paid - calls.cost).quantize(NANO)),
        )
