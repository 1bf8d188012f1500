"""Nix, asked for what nix/ comes to: without a store, a daemon or a network (``nix-instantiate`` of Debian's nix-bin).

``NIXPKGS_LIB`` names a real lib, and with it ``HOME_MANAGER`` a real home-manager, to use instead of the stand-ins."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PROGRAMS = ("claude-code", "codex", "gemini-cli", "waybar")
# A package whose hook is the one of this tree, run by this interpreter: so `aimond setup` writes the same.
PACKAGE = f"""{{
  outPath = "{ROOT.parent}";
  type = "derivation";
  name = "aimond";
  python = {{ interpreter = "{sys.executable}"; sitePackages = "{ROOT.name}"; }};
}}"""


class Refused(Exception):  # noqa: N818  (so the tests read)
    """Nix's message."""


def nix(*arguments: str) -> str:
    """What nix-instantiate prints. Raises Refused."""
    store = () if os.environ.get("HOME_MANAGER") else ("--store", "dummy://")
    done = subprocess.run(["nix-instantiate", *store, *arguments], capture_output=True, text=True, timeout=120)
    if done.returncode:
        raise Refused(done.stderr)
    return done.stdout


def value_of(expression: str) -> Any:
    """A value, from its expression. ``tests`` and ``nix`` are directories of paths in it."""
    bound = f"let tests = {HERE}; nix = {ROOT}/nix; lib = import (tests + /lib.nix); in {expression}"
    return json.loads(nix("--eval", "--strict", "--json", "--expr", bound))


def configured(
    module: str,
    want: str,
    *,
    host: str = "home",
    programs: Sequence[str] = PROGRAMS,
    package: str = PACKAGE,
    stand_in: bool = False,
) -> Any:
    """What ``want`` comes to (an expression over ``config``) under a module's settings."""
    names = " ".join(f'"{name}"' for name in programs)
    return value_of(f"""
      let config = import (tests + /eval.nix) {{
        module = {{ lib, pkgs, ... }}: {module};
        host = "{host}";
        programs = [ {names} ];
        package = {package};
        isStandIn = {str(stand_in).lower()};
      }}; in {want}
    """)
