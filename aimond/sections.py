"""The tables of config.toml: every key with its default. ``docs/config.md`` tells of each."""

from __future__ import annotations

import re
from decimal import Decimal
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator

_CLOCK: Final = r"([01]\d|2[0-3]):[0-5]\d"
HOURS: Final = f"{_CLOCK}-{_CLOCK}"
# Nothing that had to be escaped in a header, an environment variable or a settings file.
TOKEN: Final = r"[A-Za-z0-9._~-]{16,256}"  # noqa: S105  (a pattern)
URL: Final = r"https?://[^/?#]+[^?#]*"
Port = Annotated[int, Field(ge=0, le=65535)]


# Pydantic's own patterns, which its schema tells by itself, take 0.5 MB and are made at every start.
def _matches(pattern: str) -> AfterValidator:
    """What is left out or matches as a whole."""
    return AfterValidator(partial(_matching, pattern))


def _told(pattern: str) -> Any:
    """The same, for the options of Nix."""
    return Field(json_schema_extra={"pattern": f"^({pattern})?$"})


def _matching(pattern: str, text: str) -> str:
    if text and not re.fullmatch(pattern, text):
        raise ValueError(f"must match {pattern}")
    return text


def at_home(path: str) -> str:
    """The path, with ~ as the home that it stands for. Raises ValueError."""
    if "\0" in path:
        raise ValueError("a path has no NUL in it")
    try:
        return str(Path(path).expanduser())
    except RuntimeError:
        raise ValueError(f"there is no such user: {path.partition('/')[0]}") from None


class Section(BaseModel):
    """A table of the file: unknown keys are refused by name, so that a typing mistake does not pass for a default."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class Otlp(Section):
    """Where telemetry is received, and from whom. A port of 0 takes any free one."""

    http: bool = True
    http_port: Port = 4318
    grpc: bool = True
    grpc_port: Port = 4317
    hosts: tuple[str, ...] = ()
    connections: Annotated[int, Field(ge=1, le=100_000)] = 512
    queue: Annotated[int, Field(ge=1, le=100_000)] = 256
    bind: Annotated[tuple[str, ...], Field(min_length=1, max_length=16)] = ("127.0.0.1", "::1")
    tls_cert: str = ""
    tls_key: str = ""
    token: Annotated[str, _matches(TOKEN), _told(TOKEN)] = ""
    token_file: str = ""
    allow_other_users: bool = False

    @field_validator("bind")
    @classmethod
    def _addresses(cls, bind: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(str(ip_address(each)) for each in bind)

    @field_validator("tls_cert", "tls_key", "token_file")
    @classmethod
    def _whole_path(cls, path: str) -> str:
        whole = at_home(path) if path else ""
        if whole and not Path(whole).is_absolute():
            raise ValueError("a whole path is needed, from / or ~/")
        return whole

    @property
    def names(self) -> frozenset[str]:
        """What requests may be addressed to besides localhost: ``hosts``, and the addresses where it listens."""
        return frozenset({*self.hosts, *(each for each in self.bind if not ip_address(each).is_unspecified)})

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.token and self.token_file:
            raise ValueError("`token` and `token_file`: one is enough")
        return self


class Sessions(Section):
    """What is kept of sessions. ``expire`` is in seconds of silence, for sessions whose process is unknown."""

    expire: Annotated[int, Field(ge=60)] = 3600
    max: Annotated[int, Field(ge=1, le=10_000)] = 256


class Hooks(Section):
    """What the CLIs' hooks tell. ``socket``: whether their programs are listened to."""

    socket: bool = True


class Sway(Section):
    """Sway's windows, or i3's. ``acknowledge_after`` is in seconds."""

    enabled: bool = True
    acknowledge: bool = True
    acknowledge_after: Annotated[float, Field(ge=0, le=3600)] = 1.0
    urgent: bool = False
    ask_titles: bool = True


USD = Annotated[Decimal, Field(ge=0, le=10**9, allow_inf_nan=False)]


class Tier(Section):
    """Prices of calls whose whole input is above so many tokens; what is left out costs what it does below."""

    above: Annotated[int, Field(ge=1)]
    input: USD | None = None
    cache_read: USD | None = None
    cache_write: USD | None = None
    output: USD | None = None


class ModelPrice(Section):
    """What a model costs, in USD per million tokens."""

    input: USD
    output: USD
    cache_read: USD | None = None
    cache_write: USD | None = None
    tiers: tuple[Tier, ...] = ()


class Prices(Section):
    """What models cost. All keys but ``update`` are models, or ``default`` for those that nobody knows."""

    model_config = ConfigDict(extra="allow", frozen=True)
    __pydantic_extra__: dict[str, ModelPrice] = Field(init=False)

    update: bool = False

    @property
    def models(self) -> dict[str, ModelPrice]:
        """The user's own prices, by model."""
        return self.__pydantic_extra__ or {}


class Notifications(Section):
    """What is shown as notifications. ``min_duration`` is in seconds; quiet hours are by the clock on the wall."""

    enabled: bool = True
    kinds: tuple[Literal["waiting", "failed", "completed", "quiet", "budget"], ...] = (
        "waiting",
        "failed",
        "completed",
        "quiet",
        "budget",
    )
    min_duration: Annotated[float, Field(ge=0, le=86_400)] = 10
    muted_agents: tuple[str, ...] = ()
    muted_projects: tuple[str, ...] = ()
    quiet_hours: Annotated[str, _matches(HOURS), _told(HOURS)] = ""
    waiting_in_quiet_hours: bool = False
    show_cost: bool = True

    @field_validator("muted_projects")
    @classmethod
    def _at_home(cls, projects: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(at_home(each) if each.startswith("~") else each for each in projects)


class History(Section):
    """What is remembered on disk. ``keep_days`` of calls, in a file of at most ``max_size_mb`` MiB."""

    enabled: bool = True
    keep_days: Annotated[int, Field(ge=1, le=36_500)] = 400
    max_size_mb: Annotated[int, Field(ge=8, le=2000)] = 512


class Session(Section):
    """What is told of each session. ``notify_cost``: USD, when a session has cost that much; 0 is never."""

    notify_cost: Annotated[float, Field(ge=0, le=1_000_000, allow_inf_nan=False)] = 0.0


class Budget(Section):
    """A limit to what is spent. ``of``: which agent, project or model; each its own where it is left out."""

    name: Annotated[str, Field(max_length=80)] = ""
    scope: Literal["all", "agent", "project", "model"] = "all"
    of: str = ""
    period: Literal["session", "day", "week", "month"] = "day"
    limit: Annotated[Decimal, Field(gt=0, le=10**15, allow_inf_nan=False)]
    unit: Literal["USD", "tokens"] = "USD"
    thresholds: Annotated[tuple[Annotated[int, Field(ge=1, le=1000)], ...], Field(min_length=1)] = (50, 80, 100)

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if self.of and self.scope == "all":
            raise ValueError("`of` needs a scope: agent, project or model")
        return self

    @property
    def title(self) -> str:
        """Its name; made of what it is where it has none."""
        of = self.of or ("" if self.scope == "all" else self.scope)
        return self.name or f"{of} {self.period}".lstrip()


class Forward(Section):
    """Where everything received goes on to; nowhere unless ``endpoint`` is set. Times are in seconds."""

    endpoint: Annotated[str, _matches(URL), _told(URL)] = ""
    protocol: Literal["http/protobuf", "grpc"] = "http/protobuf"
    mode: Literal["normalized", "raw"] = "normalized"
    signals: tuple[Literal["logs", "traces", "metrics"], ...] = ("logs", "traces", "metrics")
    privacy: bool = True
    drop_noise: bool = False
    headers: dict[str, str] = Field(default_factory=dict)
    headers_env: str = ""
    compression: Literal["gzip", "none"] = "gzip"
    ca: str = ""
    cert: str = ""
    key: str = ""
    timeout: Annotated[float, Field(ge=1, le=300)] = 10.0
    linger: Annotated[float, Field(ge=0, le=60)] = 6.0
    spool_mb: Annotated[int, Field(ge=20, le=100_000)] = 100


class Log(Section):
    """What is logged, to stderr."""

    level: Literal["debug", "info", "warning", "error"] = "info"
