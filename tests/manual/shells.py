"""What real shells offer at TAB, with the scripts of data/ and nothing else of the user's."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[2]
DATA = ROOT / "data"
PROGRAMS = Path(sys.executable).parent
PATIENCE = 60.0  # seconds

BASH = r"""
source "$1"; shift
function=$(complete -p aimond | sed "s|.* -F \([^ ]*\) .*|\1|")
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
"$function" aimond "${COMP_WORDS[COMP_CWORD]}"
printf '%s\n' "${COMPREPLY[@]}"
"""


def environment(base: Mapping[str, str], home: Path) -> dict[str, str]:
    """With aimond on the PATH, in an empty home."""
    path = f"{PROGRAMS}:{os.environ['PATH']}"
    return {**base, "PATH": path, "HOME": str(home), "XDG_DATA_HOME": str(DATA), "TERM": "xterm", "LC_ALL": "C.UTF-8"}


def bash(line: str, env: Mapping[str, str]) -> list[str]:
    """The words; what the script prints beside them is an error."""
    script = DATA / "bash-completion/completions/aimond"
    command = ["bash", "--norc", "--noprofile", "-c", BASH, "bash", str(script), *line.split(" ")]
    return _words(_run(command, env))


def fish(line: str, env: Mapping[str, str]) -> list[str]:
    """The words, without what they mean."""
    found = _run(["fish", "--no-config", "-c", "set -p fish_complete_path $argv[2]; complete -C $argv[1]", line,
                  str(DATA / "fish/vendor_completions.d")], env)  # fmt: skip
    return [word.partition("\t")[0] for word in _words(found)]


def _run(command: list[str], env: Mapping[str, str]) -> str:
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.stderr == "", done.stderr
    return done.stdout


def _words(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]


def zsh(line: str, env: Mapping[str, str]) -> str:
    """What the terminal shows after the line, TAB, and a pause of the shell's own: it has read on."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvpe("zsh", ["zsh", "-f", "-i"], {**env, "COLUMNS": "200"})
    shown = Screen(terminal)
    try:
        os.write(terminal, b"PS1='READY '; fpath=($XDG_DATA_HOME/zsh/site-functions $fpath); unsetopt beep\n")
        os.write(terminal, b"autoload -Uz compinit && compinit -u -D && print LOA''DED\n")
        shown.until("LOADED")
        shown.until("READY ")
        os.write(terminal, line.encode() + b"\t")
        shown.until(line)
        os.write(terminal, b"\x15print EN''D\n")  # Ctrl-U: read when the completion is through
        return shown.until("END")
    finally:
        os.close(terminal)
        os.waitpid(pid, 0)


class Screen:
    """What a terminal was sent, without its movements."""

    def __init__(self, terminal: int) -> None:
        self._terminal = terminal
        self._text = ""

    def until(self, words: str) -> str:
        end = time.monotonic() + PATIENCE
        while words not in self._text and time.monotonic() < end:
            if select.select([self._terminal], [], [], 1)[0]:
                self._text += os.read(self._terminal, 65536).decode(errors="replace")
                self._text = re.sub(r"\x1b(\[[0-9;?]*[A-Za-z]|[=>])|[\r\x07]", "", self._text)
        assert words in self._text, self._text
        before, _, self._text = self._text.partition(words)
        return before
