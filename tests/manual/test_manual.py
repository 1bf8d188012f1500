"""The manual is what its sources say, and reads without a warning."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from aimond.config import Config

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tools"))

import gen_manual  # noqa: E402
from gen_dbus_docs import CONTRACT  # noqa: E402
from manual import command_pages, pages, roff, words  # noqa: E402

PAGES = sorted((ROOT / "data" / "man").rglob("*.[157]"))
each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


def shown(page: Path) -> str:
    """As a terminal of any width would have it."""
    plain = {**os.environ, "LC_ALL": "C.UTF-8", "MANPAGER": "cat", "MANWIDTH": "400", "GROFF_NO_SGR": "1"}
    text = subprocess.run(["man", "-l", str(page)], env=plain, capture_output=True, text=True, check=True).stdout
    return re.sub(".\b", "", text)


def test_what_is_committed_is_what_the_sources_say() -> None:
    generated = gen_manual.generated()
    assert len(generated) == 8
    lagging = [str(path.relative_to(ROOT)) for path, text in generated.items() if path.read_text() != text]
    assert lagging == [], "run tools/gen_manual.py, or make docs"


def test_a_page_that_lags_is_named_and_one_that_is_the_same_keeps_its_date(tmp_path: Path) -> None:
    page = tmp_path / "x.1"
    page.write_text(f".TH X 1 2020-02-02 aimond\n{'same'}\n")
    assert gen_manual.dated(page, f".TH X 1 {roff.DATE} aimond\nsame\n") == page.read_text()
    assert "2020" not in gen_manual.dated(page, f".TH X 1 {roff.DATE} aimond\nother\n")


@each_page
def test_mandoc_has_nothing_to_say(page: Path) -> None:
    lint = subprocess.run(["mandoc", "-T", "lint", "-W", "base", page], capture_output=True, text=True, check=False)
    assert lint.stdout + lint.stderr == ""


@each_page
def test_man_has_no_warning(page: Path) -> None:
    strict = {**os.environ, "LC_ALL": "C.UTF-8", "MANPAGER": "cat"}
    command = ["man", "--warnings=w", "-E", "UTF-8", "-l", "-Tutf8", "-Z", str(page)]
    done = subprocess.run(command, env=strict, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("x T utf8")
    assert done.stderr == ""


@each_page
def test_a_page_says_what_it_is_so_that_apropos_finds_it(page: Path) -> None:
    found = subprocess.run(["lexgrog", page], capture_output=True, text=True, check=True).stdout
    assert f'"{page.stem} - ' in found


def test_aimond_1_has_every_command_option_and_variable() -> None:
    text = shown(ROOT / "data/man/man1/aimond.1")
    commands = list(words.commands())
    assert len(commands) >= 9
    for command in commands:
        assert command.usage.replace("…", "...") in text
        assert all(name in text for argument in command.arguments for name in argument.names if name != "-h")
    assert "DBUS_SESSION_BUS_ADDRESS" in text
    assert "complete" not in [command.name for command in commands]


def test_what_the_manual_says_of_commands_is_said_of_those_there_are() -> None:
    named = set(pages.sections(command_pages.SOURCE.read_text()))
    assert named - {"", "Description", *command_pages.SECTIONS} <= {command.name for command in words.commands()}


def test_aimond_toml_5_has_every_key_with_its_default() -> None:
    text = shown(ROOT / "data/man/man5/aimond.toml.5")
    for name, section in Config.model_fields.items():
        assert f"[{name}]" in text
        for key in getattr(section.annotation, "model_fields", {}):
            assert re.search(rf"^ +{re.escape(key)}\b", text, re.MULTILINE), f"{name}.{key}"


def test_org_ai_monitor_7_has_every_member() -> None:
    text = shown(ROOT / "data/man/man7/org.ai.Monitor.7")
    members = re.findall(r'<(?:property|method|signal) name="(\w+)"', CONTRACT.read_text())
    assert len(members) > 70
    assert [name for name in members if not re.search(rf"^ +{name}\b", text, re.MULTILINE)] == []


@pytest.mark.parametrize(
    ("markdown", "there"),
    [
        ("a `-x` b", r"a \%\fB\-x\fR b"),
        (".de\n", r"\&.de"),
        ("'quote", r"\(aqquote"),
        (r"back\\slash", r"back\eslash"),
        ("one\n\ntwo", "one\n.PP\ntwo"),
        ("- a\n- b", ".IP \\(bu 2\na\n.IP \\(bu 2\nb"),
        ("```\n.x -y\n```", ".EX\n\\&.x \\-y\n.EE"),
        ("| a | b |\n|---|---|\n| `k` | v |", ".TP\n\\fBk\\fR\nv"),
        ("(`a-b`)", r"\%(\fBa\-b\fR)"),
        ("[w](x.md) ≥", r"w \[u2265]"),
    ],
)
def test_markdown_becomes_roff(markdown: str, there: str) -> None:
    assert there in roff.text(markdown)
