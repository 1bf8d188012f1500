"""Which program it is: the real CLIs as they look in /proc, and what only resembles them."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

from aimond.process import proc, program
from tests.process.living import as_nobody, python, running, shell

CLAUDE = frozenset({"claude", "claude.exe", "@anthropic-ai/claude-code", "share/claude/versions"})
CODEX = frozenset({"codex", "@openai/codex"})
GEMINI = frozenset({"gemini", "@google/gemini-cli"})

SCRIPT = "print('ready', flush=True)\nimport time\ntime.sleep(60)\n"


@pytest.mark.parametrize(
    ("words", "names"),
    [
        # Claude Code 2.1.330 from npm; started by itself; as its own installer keeps it; 2.0.76, a script
        (["/h/node_modules/@anthropic-ai/claude-code/bin/claude.exe", "claude"], CLAUDE),
        (["/h/node_modules/@anthropic-ai/claude-code/bin/claude.exe", "claude.exe"], CLAUDE),
        (["/h/.local/share/claude/versions/2.1.330", "claude"], CLAUDE),
        (["/h/.local/share/claude/versions/2.1.330", "2.1.330"], CLAUDE),
        (["/usr/bin/node", "claude"], CLAUDE),
        (["/usr/bin/node", "MainThread", "/usr/lib/node_modules/@anthropic-ai/claude-code/cli.js"], CLAUDE),
        # Codex 0.169.0 from npm, its launcher, its daemon
        (["/h/@openai/codex-linux-x64/vendor/x86_64-unknown-linux-musl/bin/codex", "codex"], CODEX),
        (["/usr/bin/node", "node", "/h/.bin/codex", "/h/node_modules/@openai/codex/bin/codex.js"], CODEX),
        (["/h/.codex/packages/app-server-daemon/releases/0.169.0-x86_64-unknown-linux-musl/bin/codex"], CODEX),
        # Gemini CLI 0.61.0 and 0.21.3
        (["/usr/bin/node", "node", "/h/.bin/gemini", "/h/@google/gemini-cli/bundle/gemini.js"], GEMINI),
        (["/opt/node-24/bin/node", "MainThread", "/h/@google/gemini-cli/dist/index.js"], GEMINI),
    ],
)
def test_the_clis_are_recognised(words: list[str], names: frozenset[str]) -> None:
    assert program.fits(words, names)
    assert [each for each in (CLAUDE, CODEX, GEMINI) if program.fits(words, each)] == [names]


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["/usr/bin/node", "node", "/home/claude/bin/collector.js"],
        ["/home/claude/bin/otelcol", "otelcol"],
        ["/home/gemini/codex/claude/server.py"],
        ["/h/@google/gemini-cli-exporter/index.js"],
        ["/h/not-@google/gemini-cli/index.js"],
        ["/h/versions/share/claude/x"],
        ["/usr/bin/claude-exporter", "claude-exporter"],
        ["/usr/bin/Claude", "Claude"],
        ["/usr/bin/vim", "vim"],
    ],
)
def test_what_only_resembles_them_is_not_taken_for_them(words: list[str]) -> None:
    assert [each for each in (CLAUDE, CODEX, GEMINI) if program.fits(words, each)] == []


def test_no_names_fit_nothing() -> None:
    assert not program.fits(["/usr/bin/claude", "claude", ""], frozenset())


def test_a_native_program_is_known_by_its_executable(tmp_path: Path) -> None:
    with running(shell(tmp_path / "bin" / "claude")) as process:
        assert program.programs(process.pid) == (str(tmp_path / "bin" / "claude"), "claude")
        assert program.is_program(process.pid, CLAUDE)
        assert not program.is_program(process.pid, CODEX)


def test_a_program_that_was_updated_while_it_runs_keeps_its_name(tmp_path: Path) -> None:
    name = tmp_path / "codex"
    with running(shell(name)) as process:
        name.unlink()
        assert proc.link(process.pid, "exe").endswith(" (deleted)")
        assert program.programs(process.pid)[0] == str(name)


def test_a_version_for_a_name_is_known_by_the_link_that_led_to_it(tmp_path: Path) -> None:
    argv = shell(tmp_path / "share" / "claude" / "versions" / "2.1.330")
    (tmp_path / "claude").symlink_to(argv[0])
    with running([str(tmp_path / "claude"), *argv[1:]]) as process:
        assert program.programs(process.pid) == (argv[0], "claude")
        assert program.is_program(process.pid, frozenset({"claude"}))
    with running(argv) as process:
        assert not program.is_program(process.pid, frozenset({"claude"}))
        assert program.is_program(process.pid, CLAUDE)


@pytest.fixture
def gemini(tmp_path: Path) -> Path:
    """A script as npm installs it: a link in .bin that leads into the package."""
    script = tmp_path / "node_modules" / "@google" / "gemini-cli" / "bundle" / "gemini.js"
    script.parent.mkdir(parents=True)
    script.write_text(SCRIPT)
    link = tmp_path / "node_modules" / ".bin" / "start"
    link.parent.mkdir()
    link.symlink_to("../@google/gemini-cli/bundle/gemini.js")
    return link


@pytest.mark.parametrize("options", [[], ["-I"], ["-W", "ignore", "-S"], ["-X", "dev", "--"]])
def test_an_interpreter_is_known_by_its_script(gemini: Path, options: list[str]) -> None:
    with running([sys.executable, *options, str(gemini), "-p", "claude"]) as process:
        assert program.programs(process.pid)[2:] == (str(gemini), str(gemini.resolve()))
        assert program.is_program(process.pid, GEMINI)
        assert not program.is_program(process.pid, CLAUDE)


def test_a_script_is_looked_for_where_its_interpreter_works(gemini: Path) -> None:
    argv = [sys.executable, "node_modules/.bin/start"]
    with running(argv, cwd=gemini.parents[2]) as process:
        assert program.is_program(process.pid, GEMINI)


def test_a_script_of_node(gemini: Path) -> None:
    node = shutil.which("node")
    assert node, "tools/setup.sh installs nodejs"
    gemini.resolve().write_text("console.log('ready'); setTimeout(() => 0, 60000)")
    with running([node, "--max-old-space-size=4096", str(gemini), "--yolo"]) as process:
        assert program.is_program(process.pid, GEMINI)


def test_code_on_the_command_line_is_no_script() -> None:
    with running(python("# /@google/gemini-cli/")) as process:
        assert len(program.programs(process.pid)) == 2
        assert not program.is_program(process.pid, GEMINI)


@pytest.mark.parametrize(
    ("arguments", "script"),
    [
        ([], ""),
        (["cli.js"], "cli.js"),
        (["--max-old-space-size=4096", "cli.js", "--yolo"], "cli.js"),
        (["-r", "ts-node/register", "--import", "./x.mjs", "cli.ts"], "cli.ts"),
        (["--require"], ""),
        (["run", "cli.ts", "run"], "cli.ts"),
        (["run", "-A", "cli.ts"], "cli.ts"),
        (["--", "--odd.js"], "--odd.js"),
        (["--"], ""),
        (["-e", "claude"], ""),
        (["-m", "claude"], ""),
        (["-c", "import claude"], ""),
        (["-ISc", "import claude"], ""),
        (["-pe", "claude"], ""),
        (["-Wignore", "-Xdev", "-Bu", "cli.py"], "cli.py"),
        (["-"], ""),
        (["", "", ""], ""),  # a title was written over it
    ],
)
def test_the_script_is_the_first_word_that_is_no_option(arguments: list[str], script: str) -> None:
    assert program.script_among(arguments) == script


def test_a_script_that_is_a_link_to_itself_is_named_as_it_is(tmp_path: Path, gemini: Path) -> None:
    with running([sys.executable, str(gemini)]) as process:
        gemini.unlink()
        gemini.symlink_to(gemini.name)
        assert program.programs(process.pid)[2] == str(gemini)


def test_an_endless_command_line_is_read_to_a_bound(gemini: Path) -> None:
    with running([sys.executable, str(gemini), *["x" * 1000] * 1000]) as process:
        assert program.is_program(process.pid, GEMINI)
    with running([sys.executable, *["-I"] * 20_000, str(gemini)]) as process:
        assert not program.is_program(process.pid, GEMINI)


def test_who_is_gone_runs_nothing() -> None:
    assert program.programs(2**22 + 1) == ()
    assert not program.is_program(2**22 + 1, CLAUDE)


def test_of_somebody_elses_program_only_the_name_is_known() -> None:
    assert as_nobody(lambda: list(program.programs(1))) == [Path("/proc/1/comm").read_text().strip()]


def test_those_that_run_are_found_the_newest_first(tmp_path: Path) -> None:
    argv = shell(tmp_path / "odd-cli-of-this-test")
    names = frozenset({"odd-cli-of-this-test"})
    assert list(program.running(names)) == []
    with running(argv) as first, running(argv) as second, running(shell(tmp_path / "other")):
        pids = sorted([first.pid, second.pid], reverse=True)
        assert list(program.running(names)) == pids
        assert next(program.running(names)) == pids[0]
    assert os.getpid() not in set(program.running(names))
