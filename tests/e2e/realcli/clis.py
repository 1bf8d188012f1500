"""The CLIs under test."""

from __future__ import annotations

from tests.e2e.realcli.claude import Claude
from tests.e2e.realcli.cli import Cli
from tests.e2e.realcli.codex import Codex
from tests.e2e.realcli.gemini import Gemini

CLIS: dict[str, Cli] = {cli.name: cli for cli in (Claude(), Codex(), Gemini())}
