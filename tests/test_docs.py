"""The pages say what is so: each test fails when they lag behind the code. (docs/dbus.md has its own.)"""

from __future__ import annotations

import argparse
import base64
import importlib.util
import json
import re
import signal
import subprocess
import sys
import tomllib
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, get_args

import pytest
from msgspec.structs import fields
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

import aimond.agents
from aimond.__main__ import parser
from aimond.agents.agent import Agent
from aimond.commands.replay import replay
from aimond.config import Config, load
from aimond.core import ending, state
from aimond.core.snapshot import State
from aimond.core.state import Patience
from aimond.core.turn import SECOND
from aimond.otlp import jsonform
from aimond.otlp.ports import listen
from aimond.otlp.record import Batch
from aimond.reload import AT_START
from aimond.spine import Spine
from aimond.tape import read

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tools"))

from corpus.judge import judge  # noqa: E402
from corpus.replayed import parse  # noqa: E402

DOCS = ROOT / "docs"
PAGES = sorted({*ROOT.glob("*.md"), *DOCS.rglob("*.md"), *(ROOT / "tests").rglob("*.md")})
AGENTS = aimond.agents.find()
each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
each_agent = pytest.mark.parametrize("agent", AGENTS.values(), ids=AGENTS)


def text(page: str) -> str:
    return (ROOT / page).read_text()


def section(page: str, heading: str) -> str:
    """What stands under a heading, up to the next one of any level."""
    _, _, after = text(page).partition(f"\n{heading}\n")
    assert after, f"{page} has no {heading!r}"
    return re.split(r"^#", after, maxsplit=1, flags=re.MULTILINE)[0]


def rows(markdown: str) -> dict[str, list[str]]:
    """The rows of its tables that begin with a word of code, by that word: the other cells."""
    cells = [
        [cell.strip() for cell in line.strip("|").split(" | ")] for line in markdown.splitlines() if line[:2] == "| "
    ]
    return {row[0].strip("| `"): row[1:] for row in cells if row[0].strip("| ").startswith("`")}


# -- configuration ----------------------------------------------------------------------------------


def table(annotation: Any) -> Any:
    """The model of a table; of one of several ([[budget]])."""
    return next(iter(get_args(annotation)), annotation)


SECTIONS: dict[str, Any] = {name: table(field.annotation) for name, field in Config.model_fields.items()}
each_section = pytest.mark.parametrize(("name", "settings"), list(SECTIONS.items()), ids=SECTIONS)


def documented(name: str) -> dict[str, list[str]]:
    headings = f"## `[{name}]`", f"## `[[{name}]]`"
    heading = next(line for line in text("docs/config.md").splitlines() if line.startswith(headings))
    return rows(section("docs/config.md", heading))


@each_section
def test_config_md_has_every_key_with_its_default_and_no_other(name: str, settings: type[BaseModel]) -> None:
    fields = settings.model_fields
    needed = {key: PydanticUndefined for key, field in fields.items() if field.is_required()}
    defaults = settings(**dict.fromkeys(needed, 1)).model_dump(mode="json") | needed
    assert defaults
    assert {
        key: PydanticUndefined if cells[0] == "needed" else tomllib.loads(f"is = {cells[0].strip('`')}")["is"]
        for key, cells in documented(name).items()
    } == defaults


@each_section
def test_config_md_tells_the_bounds_of_numbers(name: str, settings: type[BaseModel]) -> None:
    for key, cells in documented(name).items():
        bounds = [bound for rule in settings.model_fields[key].metadata for bound in vars_of(rule)]
        if cells[1] != "port":
            assert all(f"{bound:,}" in cells[2] for bound in bounds), f"{key}: {bounds}"


def vars_of(rule: Any) -> list[int]:
    return [int(getattr(rule, bound)) for bound in ("ge", "le") if hasattr(rule, bound)]


def test_the_example_file_of_config_md_is_the_defaults(tmp_path: Path) -> None:
    (example,) = re.findall(r"^```toml\n(.*?)^```", text("docs/config.md"), re.MULTILINE | re.DOTALL)
    (tmp_path / "config.toml").write_text(example)
    assert tomllib.loads(example) == Config().model_dump(mode="json", exclude={"budget"})
    assert load(tmp_path / "config.toml") == Config()


@each_section
def test_config_md_tells_which_keys_need_a_restart(name: str, settings: type[BaseModel]) -> None:
    told = {f"{name}.{key}" for key, cells in documented(name).items() if "*restart*" in " ".join(cells)}
    assert told == {key for key in AT_START if key.startswith(f"{name}.")}


def test_config_md_has_every_variable_that_is_read() -> None:
    code = "".join(path.read_text() for path in (ROOT / "aimond").rglob("*.py"))
    read_here = {*re.findall(r'environ(?:\.get\(|\[)"(\w+)"', code), *re.findall(r'"(\w+)" in os\.environ', code)}
    assert read_here
    assert rows(section("docs/config.md", "## Environment")).keys() == read_here


# -- agents and commands ----------------------------------------------------------------------------


@each_agent
def test_every_agent_is_in_agents_md_and_in_the_readme(agent: Agent) -> None:
    words = (agent.title, f"`{agent.name}`") if agent.title else ("GenAI",)
    assert [word for word in words if word not in text("docs/agents.md")] == []
    assert words[0] in text("README.md")


@each_agent
def test_the_table_of_patience_has_the_numbers_of_every_agent(agent: Agent) -> None:
    table = rows(section("docs/architecture.md", "### Patience"))
    columns = [
        cell.strip("` ") for cell in first_line(section("docs/architecture.md", "### Patience")).split("|")[2:-1]
    ]
    flags = {each.name for each in fields(Patience) if each.default is False}
    assert {*columns, "hold", "wake", *flags} == {*Patience.__struct_fields__}
    said = dict(zip(columns, [cell.strip("| ") for cell in table[agent.name]], strict=True))
    assert said == {name: in_words(getattr(agent.patience, name)) for name in columns}
    assert (agent.patience.hold, agent.patience.wake) == (900 * SECOND, 8 * SECOND), "the text below the table"


def first_line(markdown: str) -> str:
    return next(line for line in markdown.splitlines() if line.startswith("|"))


def in_words(patience: Any) -> str:
    return f"{patience / SECOND:g}" if isinstance(patience, int) else str(patience or "never")


def commands() -> list[str]:
    (chosen,) = (action for action in parser()._actions if isinstance(action, argparse._SubParsersAction))
    return list(chosen.choices)


@pytest.mark.parametrize("command", commands())
def test_every_command_is_in_a_page(command: str) -> None:
    assert re.search(rf"`aimond {command}\b", "".join(page.read_text() for page in PAGES))


# -- the architecture -------------------------------------------------------------------------------


def tree() -> set[str]:
    """Every path that the tree of architecture.md names, below the package."""
    paths, folders = set(), [""]
    for line in (
        section("docs/architecture.md", "## The tree").partition("aimond/\n")[2].partition("```")[0].splitlines()
    ):
        depth, name = (len(line) - len(line.lstrip())) // 4, line.split()[0]
        folders[depth:] = [folders[depth - 1] + name]
        paths.add(folders[depth])
    return paths


def test_the_tree_names_every_file_and_nothing_else() -> None:
    package = ROOT / "aimond"
    files = {str(path.relative_to(package)) for path in package.rglob("*.py") if path.name != "__init__.py"}
    one_line = (*(f"agents/{folder}/" for folder in AGENTS), "commands/", "demo/")
    folders = {f"{file.rpartition('/')[0]}/" for file in files if "/" in file}
    there = {file for file in files if not file.startswith(one_line)} | folders | {"demo/"}
    assert sorted(tree() ^ there) == []


def test_the_line_of_the_commands_names_each() -> None:
    line = next(line for line in text("docs/architecture.md").splitlines() if line.startswith("    commands/"))
    assert set(re.findall(r"(\w+)\.py", line)) == set(commands())


def test_the_floors_name_every_folder_and_every_file_beside_them() -> None:
    table = section("docs/architecture.md", "## Floors: who may import whom")
    named = {
        name
        for row in re.findall(r"^\|[ \d]*\|([^|]*)\|", table, re.MULTILINE)
        for name in re.findall(r"`([^`]+)`", row)
    }
    there = {f"{path.name}/" if path.is_dir() else path.name for path in (ROOT / "aimond").glob("[!_]*")}
    assert len(there) > 10
    assert sorted(there - named) == []


def test_the_table_of_states_has_the_rows_of_the_code_in_their_order() -> None:
    table = section("docs/architecture.md", "### The table")
    assert list(rows(table)) == [row.__name__ for row in state.TABLE]
    assert [each.value for each in State if f"`{each.value}`" not in table] == []


def test_the_distances_of_claims_are_those_of_the_code() -> None:
    claims = " ".join(section("docs/architecture.md", "### Claims, and the ladder").split())
    assert (
        f"more than {ending.CLAIM_BEFORE // SECOND} s before this turn, or {ending.CLAIM_AFTER // SECOND} s after"
        in claims
    )
    assert f"{state.OUTCOME_LATE // SECOND} s after the last word" in claims


# -- every page -------------------------------------------------------------------------------------


def anchors(page: Path) -> set[str]:
    """Of its headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def without_code(page: Path) -> str:
    return re.sub(r"^```.*?^```|`[^`\n]*`", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)


@each_page
def test_links_lead_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", without_code(page)):
        if "://" in link:
            continue
        file, _, anchor = link.partition("#")
        there = (page.parent / file).resolve() if file else page
        assert there.is_relative_to(ROOT), link
        assert there.exists(), link
        assert not anchor or anchor in anchors(there), link


PUBLIC = {"127.0.0.1", "localhost", "github.com", "no-color.org", "opentelemetry.io", "www.freedesktop.org"}


@each_page
def test_a_page_tells_of_nothing_but_the_project(page: Path) -> None:
    """Of no machine it was written on, of no private host, and not of who does what when."""
    assert re.findall(r"(?<![\w.~])/(?:work|root|home|tmp|mnt|Users)\b[/\w.-]*", page.read_text()) == []
    assert set(re.findall(r"\w+://\[?([\w.-]+)", page.read_text())) <= PUBLIC
    assert re.findall(r"(?i)\b(?:milestones?|sprints?|worktrees?|TODO|co-authored)\b", page.read_text()) == []


def test_pages_are_read() -> None:
    assert len(PAGES) >= 6


# -- the worked example of add-an-agent.md ----------------------------------------------------------


@pytest.fixture(scope="module")
def files() -> dict[str, str]:
    """The files on the page, by the name above each."""
    return dict(
        re.findall(r"^`([\w./]+)`\n\n```\w+\n(.*?)^```", text("docs/add-an-agent.md"), re.MULTILINE | re.DOTALL)
    )


@pytest.fixture
def example(files: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with those files, its agent one of aimond's."""
    for name, content in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    before = set(sys.modules)
    monkeypatch.setattr(aimond.agents, "__path__", [*aimond.agents.__path__, str(tmp_path / "aimond" / "agents")])
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    for name in set(sys.modules) - before:
        if name.startswith("aimond.agents."):
            del sys.modules[name]
            vars(aimond.agents).pop(name.rpartition(".")[2], None)


def body(example: Path) -> bytes:
    return (example / "tests/agents/parrot.json").read_bytes()


def test_the_new_agent_is_found_by_being_there_and_understood(example: Path) -> None:
    spine = Spine()
    assert [agent.name for agent in spine.registry.agents][-2:] == ["parrot", "genai"]
    spine.take(Batch("logs", "json", jsonform.parse(body(example)), seen=1_800_000_004_100_000))
    (session,) = spine.tracker.snapshots()
    assert (session.agent, session.title, session.agent_version) == ("parrot", "Parrot CLI", "1.4.0")
    assert (session.state, session.turns) == ("completed", 1)
    heard = spine.heard["parrot"]
    assert (heard.records, heard.unknown) == (4, 0)


def test_the_tests_of_the_new_agent_pass(example: Path) -> None:
    module = load_module(example / "tests/agents/test_parrot.py")
    tests = [test for name, test in vars(module).items() if name.startswith("test_")]
    assert len(tests) == 4
    for test in tests:
        test()


def load_module(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_tape_on_the_page_is_replayed_as_its_truth_says(example: Path) -> None:
    path = example / "tests/tapes/parrot/1.4.0/tool.tape.jsonl"
    path.write_text(path.read_text().replace("BASE64", base64.b64encode(body(example)).decode()))
    told = [json.dumps(row) for row in replay(read(path))]
    truth = json.loads(path.with_name("tool.truth.json").read_text())
    verdict = judge("parrot/1.4.0/tool", truth, map(json.loads, path.read_text().splitlines()), parse("\n".join(told)))
    assert verdict.problems == []
    assert (verdict.tally.found, verdict.tally.on_time, verdict.tally.waits_shown) == (1, 1, 1)
    assert '"reason": "exited"' in told[-2]


def test_the_recorder_on_the_page_records_a_tape(example: Path) -> None:
    (free,) = listen(["127.0.0.1"], 0)
    port = free.getsockname()[1]
    free.close()
    command = [sys.executable, "-u", "record.py", "parrot", "1.4.0", "heard", str(port)]
    with subprocess.Popen(command, cwd=example, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as recorder:
        assert recorder.stdout is not None
        try:
            assert b"Running on" in recorder.stdout.readline()
            ask = {"session_id": "p-1", "tool_name": "shell"}
            post(f"http://127.0.0.1:{port}/hook/PermissionRequest", json.dumps(ask).encode())
            assert post(f"http://127.0.0.1:{port}/v1/logs", body(example)) == b"{}"
        finally:
            recorder.send_signal(signal.SIGINT)
            recorder.wait(timeout=30)
    tape = read(example / "heard.tape.jsonl")
    assert [line.kind for line in tape.lines] == ["hook", "otlp"]
    batch = tape.batch(tape.lines[1])
    assert batch is not None
    assert batch.parsed == json.loads(body(example))
    assert {"change": "state", "new": "waiting", "session_id": "p-1"}.items() <= next(
        row for row in replay(tape) if row["change"] == "state"
    ).items()


def post(url: str, content: bytes) -> bytes:
    request = urllib.request.Request(url, content, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return bytes(answer.read())
