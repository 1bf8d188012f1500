"""What a model call costs: the user's own prices first, then the table of genai-prices (0.2.3).

That library is imported when the first request comes, by a thread, as no loop should wait for it. Of it only the table
is used, and how it finds a model in it; the arithmetic is ``core/price.py``'s, a hundred times as fast and held against
the library's by tests."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cache, lru_cache
from itertools import pairwise
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace

from aimond.core.event import ModelCallFinished
from aimond.core.price import NO_RATES, Rate, Rates
from aimond.core.snapshot import Basis
from aimond.core.usage import Usage

DEFAULT: Final = "default"  # the name under which users price unknown models
OLD: Final = 120  # days
PLANNED: Final = 14  # days after the change before
UPDATE_EVERY: Final = 86_400.0  # seconds
DIFFERS: Final = Decimal("0.05")
# Prices change at dates, and (DeepSeek) at full and half hours.
_QUARTER: Final = 900 * 10**6
_LAST_QUARTER: Final = 4_102_444_800 // 900  # the year 2100: a stranger's clock may say anything
_FAST: Final = {"speed": "fast"}
# How providers' APIs are told to name a model, before its name proper.
_PREFIXES: Final = ("models/", "publishers/google/models/", "publishers/anthropic/models/")
_WARNED: Final = 64


class Priced(Struct, frozen=True):
    """``cost`` in USD with its basis, COMPUTED, or None and UNKNOWN; 0 is a price. ``source``: who says so."""

    cost: Decimal | None
    basis: Basis
    estimated: bool
    source: str


def no_warning(text: str) -> None:
    """Nobody to tell."""


class Prices:
    """All that is known of prices; a ``core.price.Pricing``. ``own``: the user's by model, ``default`` for models that
    nobody else knows, each with the fields of the config's ``ModelPrice``. ``update``: let the library fetch a newer
    table, once a day, in a thread of its own. ``warn`` is told, once each, what the user should know."""

    def __init__(
        self, own: Mapping[str, Any] | None = None, *, update: bool = False, warn: Callable[[str], None] = no_warning
    ) -> None:
        self._warn, self._warned = warn, set[str]()
        self._cached = lru_cache(maxsize=1024)(self._find)
        self._entry = lru_cache(maxsize=256)(self._look_up)
        self.configure(own or {})
        self._table: Any = None
        self._is_prepared = False
        self._updater: Any = updater() if update else None
        if self._updater is not None:
            self._updater.start()

    def configure(self, own: Mapping[str, Any]) -> None:
        """Go by these prices of the user's from now on; what has been priced stays as it is."""
        self._own = {plain(name): _of_user(name, prices) for name, prices in own.items()}
        self._cached.cache_clear()

    # -- what a call costs --------------------------------------------------------------------------

    def price(self, provider: str, model: str, usage: Usage, at: int, *, fast: bool = False) -> Priced:
        """The price of one call that ended at ``at`` (µs since the epoch)."""
        rates = self.rates(provider, model, at, fast=fast)
        cost = rates.cost(usage)
        return Priced(cost, Basis.UNKNOWN if cost is None else Basis.COMPUTED, rates.estimated, rates.source)

    def priced(self, call: ModelCallFinished) -> ModelCallFinished:
        """The call with what it costs by these prices, None if they do not know."""
        if call.usage is None:
            return call
        rates = self.rates(call.provider, call.model, call.at, fast=call.fast)
        cost = rates.cost(call.usage)
        return call if cost is None else replace(call, computed=cost, estimated=rates.estimated)

    def compare(self, model: str, reported: Decimal, computed: Decimal) -> None:
        """Warn, once per model, when the CLI's price and the table's are more than 5 % apart."""
        if abs(reported - computed) > DIFFERS * max(reported, computed):
            told = f"{model}: the CLI reports ${reported:f} where the price table says ${computed:f}"
            self._say(model, f"{told}; the reported price counts (aimond prices {model!r})")

    def rates(self, provider: str, model: str, at: int, *, fast: bool = False) -> Rates:
        """The prices of a model at that time, of its fast mode if that is meant."""
        if self._table is not None and _snapshot() is not self._table:
            self._cached.cache_clear()  # a newer one was fetched
            self._entry.cache_clear()
        return self._cached(provider, model, max(0, min(at // _QUARTER, _LAST_QUARTER)), fast)

    def _find(self, provider: str, model: str, quarter: int, fast: bool) -> Rates:
        if own := self._own.get(plain(model)):
            return own
        found = self._in_table(provider, model, datetime.fromtimestamp(quarter * 900, UTC), fast)
        return found or self._own.get(DEFAULT, NO_RATES)

    def _in_table(self, provider: str, model: str, when: datetime, fast: bool) -> Rates | None:
        """As the library finds it: with that provider, else, as a guess, with whoever makes models of that name."""
        self._table = _snapshot()
        if old := self.stale(when):
            self._say("", old)
        found, guess = self._entry(provider, model)
        if found is None:
            return None
        prices = found.get_prices(when, _FAST if fast else None)
        return replace(_of_table(prices), source=self.source(), estimated=guess)

    def _look_up(self, provider: str, model: str) -> tuple[Any, bool]:
        """The table's entry, None if it has none, and whether it is a guess: what takes long."""
        for by, guess in ((provider or None, False), (None, True)):
            if by or guess:
                try:
                    return self._table.find_provider_model(plain(model), None, by, None)[1], guess
                except LookupError:
                    continue
        return None, True

    # -- where the prices come from -----------------------------------------------------------------

    def source(self) -> str:
        """The library's name and version, and how new its prices are."""
        from genai_prices import __version__

        return f"genai-prices {__version__} ({self.dated()})"

    def dated(self) -> date:
        """When the table was fetched. The one that comes with the library has no date; it is taken to be of its newest
        price change that is no plan: hardly a week goes by without one, and what is announced lies further ahead."""
        table = _snapshot()
        fetched: datetime = table.timestamp
        return (None if table.from_auto_update else _newest(id(table))) or fetched.date()

    def stale(self, now: datetime) -> str:
        """What to tell of a table that is old at that time, "" of one that is not."""
        days = (now.date() - (dated := self.dated())).days
        if days <= OLD:
            return ""
        return (
            f"the price table is of {dated}, {days} days old: upgrade genai-prices, or let it fetch a newer one"
            " ([prices] update = true)"
        )

    def prepare(self) -> None:
        """Somebody is there: have the table loaded by a thread, once. It takes 0.2 s."""
        if not self._is_prepared:
            self._is_prepared = True
            threading.Thread(target=_snapshot, name="prices", daemon=True).start()

    def close(self) -> None:
        """Stop fetching."""
        if self._updater is not None:
            self._updater.stop()

    def _say(self, key: str, text: str) -> None:
        if key not in self._warned and len(self._warned) < _WARNED:
            self._warned.add(key)
            self._warn(text)


def plain(model: str) -> str:
    """A model's name without what CLIs and APIs put around it: ``claude-sonnet-4-5[1m]``, ``models/gemini-3-pro``."""
    name = model.lower().partition("[")[0].strip()
    return next((name.removeprefix(prefix) for prefix in _PREFIXES if name.startswith(prefix)), name)


def _of_user(name: str, own: Any) -> Rates:
    def rate(kind: str) -> Rate | None:
        base = getattr(own, kind)
        tiers = ((tier.above, above) for tier in own.tiers if (above := getattr(tier, kind)) is not None)
        return None if base is None else Rate(base, tuple(sorted(tiers)))

    return Rates(
        input=rate("input"),
        output=rate("output"),
        cache_read=rate("cache_read"),
        cache_write=rate("cache_write"),
        source="config [prices]",
        estimated=name == DEFAULT,
    )


def _of_table(prices: Any) -> Rates:
    """The library's ``ModelPrice``, of which only tokens of text matter here."""
    return Rates(
        input=_rate(prices.input_mtok),
        output=_rate(prices.output_mtok),
        cache_read=_rate(prices.cache_read_mtok),
        cache_write=_rate(prices.cache_write_mtok),
        cache_write_1h=_rate(prices.cache_write_1h_mtok),
        reasoning=_rate(prices.output_reasoning_mtok),
    )


def _rate(price: Any) -> Rate | None:
    if price is None or isinstance(price, Decimal):
        return None if price is None else Rate(price)
    return Rate(price.base, tuple((tier.start, tier.price) for tier in price.tiers))


def _snapshot() -> Any:
    return _library()()


@cache
def _library() -> Callable[[], Any]:
    from genai_prices.data_snapshot import get_snapshot

    return get_snapshot


def updater() -> Any:
    """The library's own, not yet started: it fetches in a thread, now and once a day."""
    from genai_prices import UpdatePrices

    return UpdatePrices(update_interval=UPDATE_EVERY)


@lru_cache(maxsize=4)
def _newest(table: int) -> date | None:
    starts = set[date]()
    for provider in _snapshot().providers:
        for model in provider.models:
            priced = [*(model.prices if isinstance(model.prices, list) else ()), *(model.price_variants or ())]
            starts |= {start for each in priced if (start := getattr(each.constraint, "start_date", None))}
    return max((late for early, late in pairwise(sorted(starts)) if (late - early).days <= PLANNED), default=None)
