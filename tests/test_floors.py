"""Who may import whom, and how large a file may grow: docs/architecture.md, held against the code."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = {str(path.relative_to(ROOT)).removesuffix(".py"): path for path in sorted((ROOT / "aimond").rglob("*.py"))}

LINES = 250
NO_NAMES = {"manager", "managers", "handler", "handlers", "utils", "util", "helpers", "helper", "common", "misc"}


@dataclass(frozen=True)
class Floor:
    """Files, and all that they may import: of ours (with what is below it), of others, of the standard library."""

    files: str
    ours: str = ""
    others: str = ""
    standard: str = ""


# Of the standard library, for files that only compute: nothing that reads a clock, a file, a socket or the environment.
CORE = "bisect collections datetime decimal enum heapq typing"
VALUES = "msgspec"  # classes of plain values: made at every start, in a sixth of the time of dataclasses
PURE = f"{CORE} base64 dataclasses functools hashlib itertools json math operator re types urllib.parse xml.etree zlib"
PURE += " importlib pkgutil"  # finding the agents, by their being there
ANY = "*"
OTHER_AGENT = "aimond.core aimond.otlp.record aimond.agents.agent aimond.agents.payload"
JSON_TEXT = "aimond.agents.jsonread aimond.agents.jsontext"
SETTINGS = f"{JSON_TEXT} aimond.agents.jsonsettings aimond.agents.settings"
WIRE = "aimond.otlp.record aimond.otlp.isotime aimond.otlp.status"
RECEIVER = f"{WIRE} aimond.otlp.encode aimond.otlp.jsonform aimond.otlp.guard aimond.otlp.protobuf aimond.otlp.tls"
RECEIVER += " aimond.otlp.unpack"
CLIENT = "aimond.bus.client aimond.commands aimond.config aimond.core aimond.sections"
PLAYER = f"{CLIENT} aimond.pricing aimond.spine aimond.tape aimond.sender"
PROTOBUF = "opentelemetry.proto google.protobuf"

FLOORS = [
    # floor 0: what is true
    Floor("aimond/__init__"),
    Floor("aimond/core/*", "aimond.core", standard=CORE),
    Floor("aimond/core/attic", "aimond.core", standard=f"{CORE} pickle zlib"),
    Floor("aimond/otlp/record", standard=CORE),
    # floor 1: translating
    Floor("aimond/pricing", "aimond.core", "genai_prices", f"{PURE} threading"),
    Floor("aimond/otlp/__init__"),
    Floor("aimond/otlp/isotime", standard=CORE),
    Floor("aimond/otlp/status", standard=CORE),
    Floor("aimond/otlp/shallow", others=PROTOBUF, standard=PURE),
    Floor("aimond/otlp/protobuf", f"{WIRE} aimond.otlp.shallow", PROTOBUF, PURE),
    Floor("aimond/otlp/jsonform", WIRE, standard=PURE),
    Floor("aimond/otlp/encode", WIRE, PROTOBUF, PURE),
    Floor("aimond/otlp/origin", WIRE, standard=PURE),
    Floor("aimond/otlp/guard", f"{WIRE} aimond.otlp.origin", standard=f"{PURE} hmac"),
    Floor("aimond/otlp/unpack", WIRE, standard=PURE),
    Floor("aimond/agents/__init__", "aimond.otlp.record aimond.agents.agent", standard=PURE),
    Floor("aimond/agents/agent", "aimond.core aimond.otlp.record aimond.agents.payload", standard=PURE),
    Floor("aimond/agents/payload", "aimond.core", "pydantic", PURE),
    Floor("aimond/agents/settings", standard=f"{PURE} shlex"),
    Floor("aimond/agents/jsonread", standard=PURE),
    Floor("aimond/agents/jsontext", JSON_TEXT, standard=PURE),
    Floor("aimond/agents/jsonsettings", SETTINGS, standard=PURE),
    Floor(
        "aimond/agents/*/*", f"{OTHER_AGENT} {SETTINGS} aimond.agents.{{folder}} aimond.toml", "pydantic tomlkit", PURE
    ),
    # between: one batch through all of it; recordings of batches
    Floor("aimond/spine", "aimond.agents aimond.core aimond.otlp.record aimond.otlp.jsonform aimond.otlp.protobuf"),
    Floor(
        "aimond/tape",
        "aimond.otlp.record aimond.otlp.jsonform aimond.otlp.protobuf",
        standard=f"{PURE} binascii gzip pathlib",
    ),
    Floor("aimond/sections", others="pydantic", standard=f"{PURE} ipaddress pathlib"),
    Floor("aimond/toml", standard=f"{PURE} tomllib"),
    Floor("aimond/config", "aimond.sections aimond.toml", "pydantic", f"{PURE} os pathlib stat"),
    # floor 2: effects; none knows another
    Floor("aimond/otlp/http", f"{RECEIVER} aimond.otlp.exchange aimond.otlp.http1", "httptools", ANY),
    Floor("aimond/otlp/http1", f"{WIRE} aimond.otlp.exchange", "httptools", ANY),
    Floor("aimond/otlp/exchange", WIRE, standard=ANY),
    Floor("aimond/otlp/grpc", RECEIVER, "h2 hpack hyperframe", ANY),
    Floor("aimond/otlp/ports", "aimond.process", standard=ANY),
    Floor("aimond/otlp/tls", standard=ANY),
    Floor("aimond/bus/*", "aimond.bus aimond.core aimond.dial", "dbus_fast", ANY),
    Floor("aimond/backlog", "aimond.otlp.record", standard=ANY),
    Floor("aimond/witness", "aimond.agents aimond.hooks.message aimond.otlp.record aimond.process", standard=ANY),
    Floor("aimond/process/*", "aimond.core aimond.process", standard=ANY),
    Floor("aimond/desktop/*", "aimond.core aimond.desktop aimond.dial", "dbus_fast", ANY),
    Floor("aimond/desktop/match", "aimond.core aimond.desktop.windows", standard=PURE),
    Floor("aimond/desktop/windows", "aimond.core", standard=PURE),
    Floor("aimond/history/*", "aimond.core aimond.history", standard=ANY),
    # forwarding: pure below
    *(
        Floor(f"aimond/forward/{file}", "aimond.core aimond.otlp.record aimond.forward", PROTOBUF, PURE)
        for file in ("mapping", "rules", "failures", "ottl", "attributes", "apply", "lately", "traces", "costs")
    ),
    Floor("aimond/forward/requests", "aimond.forward aimond.otlp.record", PROTOBUF, PURE),
    Floor("aimond/forward/own", "aimond.core aimond.forward aimond.otlp.record", standard=PURE),
    Floor("aimond/forward/private", "aimond.forward aimond.otlp.record", standard=PURE),
    Floor("aimond/forward/normalize", "aimond.core aimond.otlp.record aimond.forward", PROTOBUF, PURE),
    Floor("aimond/forward/jsonbody", standard=f"{PURE} binascii", others=PROTOBUF),
    Floor("aimond/forward/loop", "aimond.otlp.record", PROTOBUF, PURE),
    Floor("aimond/forward/wire", "aimond.core", PROTOBUF, PURE),
    Floor("aimond/forward/grpc", "aimond.core aimond.otlp.record aimond.forward", "h2", ANY),
    Floor("aimond/forward/forwarder", "aimond.config aimond.core aimond.otlp.record aimond.forward.tee", standard=PURE),
    Floor("aimond/forward/tee", "aimond.config aimond.core aimond.otlp.record aimond.forward", standard=ANY),
    Floor(
        "aimond/forward/__main__",
        "aimond.config aimond.sections aimond.core aimond.forward aimond.pricing",
        standard=ANY,
    ),
    Floor("aimond/forward/*", "aimond.core aimond.otlp.record aimond.forward", PROTOBUF, ANY),
    Floor("aimond/hooks/*", "aimond.hooks", standard=ANY),
    Floor("aimond/hooks/message", standard=PURE),
    Floor("aimond/historian", "aimond.config aimond.core aimond.history", standard=ANY),
    Floor("aimond/answers", "aimond.core aimond.hooks.message aimond.spine", standard=f"{PURE} logging"),
    Floor("aimond/dial", others="dbus_fast", standard=ANY),
    Floor("aimond/alarm", "aimond.core", standard=ANY),
    Floor("aimond/clock", standard=ANY),
    Floor("aimond/upkeep", "aimond.core", standard=ANY),
    Floor("aimond/metrics", "aimond.core aimond.meter aimond.spine", "prometheus_client", PURE),
    Floor("aimond/meter", "aimond.core", "prometheus_client", PURE),
    Floor("aimond/sdnotify", standard=ANY),
    Floor("aimond/sender", "aimond.tape aimond.otlp", PROTOBUF, ANY),
    Floor("aimond/activation", standard=ANY),
    Floor(
        "aimond/reception",
        "aimond.activation aimond.commands.hook aimond.config aimond.entrance aimond.hooks aimond.metrics aimond.otlp",
        standard=ANY,
    ),
    Floor("aimond/entrance", "aimond.config aimond.sections aimond.otlp aimond.process.peer", standard=ANY),
    Floor("aimond/reload", "aimond.config aimond.sections", standard=PURE),
    # floor 3: the daemon knows everyone; commands are clients of the bus, like any other program
    Floor("aimond/daemon", ANY, standard=ANY),
    Floor("aimond/__main__", "aimond.commands aimond.process", "shtab", ANY),
    Floor("aimond/commands/*", CLIENT, standard=ANY),
    Floor("aimond/commands/look", "aimond.core", standard=f"{PURE} unicodedata"),
    Floor("aimond/commands/mirror", CLIENT, standard=PURE),
    Floor("aimond/commands/named", standard=PURE),
    Floor("aimond/commands/waybar_text", CLIENT, standard=f"{PURE} html unicodedata"),
    Floor("aimond/commands/top", CLIENT, "rich", ANY),
    Floor("aimond/commands/top_rates", CLIENT, standard=PURE),
    Floor("aimond/commands/top_view", CLIENT, "rich", PURE),
    Floor("aimond/commands/top_screen", CLIENT, "rich", ANY),
    Floor(
        "aimond/commands/run",
        f"{CLIENT} aimond.activation aimond.bus.connection aimond.daemon aimond.otlp.ports aimond.reload"
        " aimond.process.asked aimond.sdnotify",
        "uvloop",
        ANY,
    ),
    Floor("aimond/commands/prices", f"{CLIENT} aimond.agents aimond.pricing", "", ANY),
    Floor("aimond/commands/replay", PLAYER, standard=ANY),
    Floor("aimond/commands/demo", PLAYER, standard=ANY),
    Floor("aimond/commands/setup", f"{CLIENT} aimond.agents", "", ANY),
    Floor("aimond/commands/setup_token", f"{CLIENT} aimond.agents.settings", "", ANY),
    Floor("aimond/commands/setup_plan", f"{CLIENT} aimond.agents.settings", "", ANY),
    Floor("aimond/commands/settings_file", f"{CLIENT} aimond.agents.settings", "", ANY),
    Floor("aimond/commands/doctor", f"{CLIENT} aimond.agents aimond.pricing", "", ANY),
    Floor("aimond/commands/doctor_facts", "aimond.agents.settings", "", PURE),
    Floor(
        "aimond/commands/doctor_layers",
        "aimond.agents.jsonsettings aimond.agents.settings aimond.toml",
        "tomlkit",
        f"{PURE} pathlib",
    ),
    Floor("aimond/commands/doctor_findings", "aimond.agents.settings aimond.commands", "", PURE),
    Floor("aimond/commands/doctor_verdicts", "aimond.agents.settings aimond.commands", "", PURE),
    Floor("aimond/commands/doctor_report", "aimond.agents.settings aimond.commands", "", PURE),
    Floor("aimond/commands/doctor_look", "aimond.commands aimond.process aimond.sections", "", ANY),
    Floor("aimond/commands/doctor_processes", "aimond.agents.agent aimond.process", "", ANY),
    Floor("aimond/commands/install", f"{CLIENT} aimond.otlp.ports aimond.sections", "", ANY),
    Floor("aimond/commands/install_files", "aimond.config aimond.sections", standard=f"{PURE} pathlib"),
    Floor("aimond/commands/hook", standard=ANY),
]


def floors(file: str) -> list[Floor]:
    """The rows for a file: the one of its name, else those whose pattern fits, of as many folders."""
    rows = [row for row in FLOORS if fnmatch(file, row.files) and row.files.count("/") == file.count("/")]
    return [row for row in rows if row.files == file] or rows


def imports(source: str) -> Iterator[str]:
    """Every module that is named in an import, wherever it stands."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            below = [f"{module}.{alias.name}" for alias in node.names]
            yield from (name if is_module(name) else module for name in below)


def is_module(name: str) -> bool:
    file = name.replace(".", "/")
    return file in FILES or f"{file}/__init__" in FILES


def within(name: str, allowed: str) -> bool:
    return any(each in (ANY, name) or name.startswith(f"{each}.") for each in allowed.split())


def forbidden(file: str, source: str) -> list[str]:
    """What a file of that name and text imports and may not. (``aimond`` itself is only the version.)"""
    (row,) = floors(file)
    ours = row.ours.format(folder=file.split("/")[2]) if "{folder}" in row.ours else row.ours
    names = set(imports(source)) - {"__future__", "aimond"}

    def is_allowed(name: str) -> bool:
        top = name.partition(".")[0]
        if top == "aimond":
            return within(name, ours)
        return within(name, f"{row.standard} {CORE}" if top in sys.stdlib_module_names else f"{row.others} {VALUES}")

    return sorted(name for name in names if not is_allowed(name))


@pytest.mark.parametrize("file", FILES)
def test_a_file_imports_from_its_own_floor_and_below(file: str) -> None:
    assert len(floors(file)) == 1, f"{file} needs one row in FLOORS, has {[row.files for row in floors(file)]}"
    assert forbidden(file, FILES[file].read_text()) == []


@pytest.mark.parametrize(
    ("file", "source", "wrong"),
    [
        ("aimond/core/new", "import asyncio, time", ["asyncio", "time"]),
        ("aimond/core/new", "from dataclasses import dataclass\nfrom msgspec import Struct", ["dataclasses"]),
        ("aimond/core/new", "def f():\n    import os.path", ["os.path"]),
        ("aimond/core/new", "from aimond.otlp.record import Record", ["aimond.otlp.record"]),
        ("aimond/core/new", "from aimond import spine", ["aimond.spine"]),
        ("aimond/core/new", "from . import event", ["."]),
        ("aimond/core/new", "from aimond.core import event\nfrom enum import Enum", []),
        ("aimond/agents/codex/new", "from aimond.agents.genai import AGENT", ["aimond.agents.genai"]),
        ("aimond/agents/codex/new", "from aimond.agents.codex import AGENT\nimport pydantic", []),
        ("aimond/bus/new", "import aimond.daemon\nimport aiohttp", ["aimond.daemon", "aiohttp"]),
        ("aimond/otlp/http", "from aimond.core import event", ["aimond.core.event"]),
        ("aimond/commands/hook", "import json\nfrom aimond.config import load", ["aimond.config"]),
        ("aimond/commands/new", "from aimond.bus import client, service", ["aimond.bus.service"]),
    ],
)
def test_the_table_would_notice(file: str, source: str, wrong: list[str]) -> None:
    assert forbidden(file, source) == wrong


def test_a_file_that_no_row_names_is_noticed() -> None:
    assert floors("aimond/new") == floors("aimond/new/file") == floors("aimond/agents/codex/deep/file") == []


@pytest.mark.parametrize("file", FILES)
def test_a_file_can_be_read_in_one_sitting(file: str) -> None:
    assert len(FILES[file].read_text().splitlines()) <= LINES


@pytest.mark.parametrize("file", FILES)
def test_a_name_says_what_is_inside(file: str) -> None:
    assert not NO_NAMES & set(file.split("/"))


@pytest.mark.parametrize("file", FILES)
def test_nothing_is_left_to_do(file: str) -> None:
    assert [word for word in ("TODO", "FIXME", "XXX") if word in FILES[file].read_text()] == []
