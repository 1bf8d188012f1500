"""nix/schema.nix takes whatever a section of config.py may hold, in the words of Nix."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Annotated, Any, Literal

import pytest
from nix.evaluate import Refused, value_of
from pydantic import ConfigDict, Field

from aimond.sections import Section


class Price(Section):
    """A price that the user knows better."""

    input: Annotated[Decimal, Field(ge=0, le=1000)] | None = None
    output: Annotated[float, Field(ge=0)] = 0.0
    note: str | None = None


class Known(Section):
    """A table of any names, but for one."""

    model_config = ConfigDict(extra="allow", frozen=True)
    __pydantic_extra__: dict[str, Price] = Field(init=False)

    update: bool = False


class Budget(Section):
    """One of several."""

    name: str
    limit: Annotated[float, Field(gt=0)]
    per: Literal["day", "month"] = "month"
    agents: tuple[str, ...] = ()


class Hours(Section):
    """A table in a table."""

    start: str = "22:00"
    end: str = "07:00"


class Notify(Section):
    """With a default for a whole table that is not the table's own."""

    on: bool | Literal["auto"] = "auto"
    quiet: Hours = Hours(end="08:00")
    hours: Annotated[str, Field(pattern=r"^(\d\d:[0-5]\d)?$")] = ""
    kinds: dict[str, bool] = Field(default_factory=dict)


class Whole(Section):
    """The file."""

    prices: dict[str, Price] = Field(default_factory=dict)
    known: Known = Known()
    budget: tuple[Budget, ...] = ()
    notify: Notify = Field(default_factory=Notify)


SCHEMA = Whole.model_json_schema()


def ask(values: str, want: str) -> Any:
    return value_of(f"""
      let
        schema = builtins.fromJSON ''{json.dumps(SCHEMA)}'';
        toml = import (nix + /schema.nix) {{ inherit lib schema; }};
        config = (lib.evalModules {{ modules = [ {{ inherit (toml) options; }} {{ config = {values}; }} ]; }}).config;
      in {want}
    """)


def test_the_defaults_are_the_models() -> None:
    assert ask("{ }", "config") == Whole().model_dump(mode="json")
    assert ask("{ }", "toml.pruned config") == {}


@pytest.mark.parametrize(
    ("values", "file"),
    [
        (
            '{ prices."claude-opus".output = 2.5; prices.other.note = "mine"; }',
            {"prices": {"claude-opus": {"output": 2.5}, "other": {"note": "mine"}}},
        ),
        ("{ prices.free = { }; }", {"prices": {"free": {}}}),
        (
            '{ budget = [ { name = "a"; limit = 20; } { name = "o"; limit = 1; per = "day"; agents = [ "x" ]; } ]; }',
            {"budget": [{"name": "a", "limit": 20}, {"name": "o", "limit": 1, "per": "day", "agents": ["x"]}]},
        ),
        (
            '{ prices.x.input = 1.5; prices.y.input = "0.10"; }',
            {"prices": {"x": {"input": 1.5}, "y": {"input": "0.10"}}},
        ),
        (
            "{ known.update = true; known.opus.output = 2.0; }",
            {"known": {"update": True, "opus": {"output": 2.0}}},
        ),
        ('{ notify.hours = "22:30"; }', {"notify": {"hours": "22:30"}}),
        ("{ notify.on = true; }", {"notify": {"on": True}}),
        # the table is written, and so begins with the defaults of its own kind
        ('{ notify.quiet.start = "23:00"; }', {"notify": {"quiet": {"start": "23:00", "end": "08:00"}}}),
        ('{ notify.quiet.end = "07:00"; }', {"notify": {"quiet": {}}}),
        ("{ notify.kinds.waiting = false; }", {"notify": {"kinds": {"waiting": False}}}),
    ],
)
def test_what_is_set_comes_into_the_file_and_nothing_else(values: str, file: Any) -> None:
    pruned = ask(values, "toml.pruned config")
    assert pruned == file
    assert Whole.model_validate(ask(values, "config")) == Whole.model_validate(pruned)


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ('{ budget = [ { name = "all"; } ]; }', "limit' is used but not defined"),
        ('{ budget = [ { name = "all"; limit = 0; } ]; }', "more than 0"),
        ('{ budget = [ { name = "all"; limit = 1; per = "week"; } ]; }', "per' is not of type"),
        ('{ prices.x.inputs = "1"; }', "prices.x.inputs' does not exist"),
        ("{ prices.x.input = 1001; }", "input' is not of type"),
        ("{ known.opus = true; }", "known.opus' is not of type"),
        ("{ known.opus.outputs = 1; }", "known.opus.outputs' does not exist"),
        ('{ notify.hours = "22:75"; }', "hours' is not of type"),
        ('{ notify.on = "yes"; }', "notify.on' is not of type"),
        ('{ notify.quiet.from = "1"; }', "notify.quiet.from' does not exist"),
    ],
)
def test_what_the_model_would_refuse_is_refused(values: str, says: str) -> None:
    with pytest.raises(Refused, match=says):
        ask(values, "config")
