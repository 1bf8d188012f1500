"""The files of nix/: what is generated is new, what is read of others is what they say."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from nix.evaluate import ROOT, Refused, configured, nix, value_of

import aimond

FILES = [ROOT / "flake.nix", *sorted((ROOT / "nix").glob("*.nix")), *sorted((ROOT / "tests" / "nix").glob("*.nix"))]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_every_file_parses(file: Path) -> None:
    assert nix("--parse", str(file))


def test_what_is_generated_does_not_lag_behind() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "tools" / "gen_nix.py"), "--check"], capture_output=True, text=True, timeout=120
    )
    assert done.stdout == ""
    assert done.returncode == 0


# -- units ------------------------------------------------------------------------------------------


Unit = dict[str, dict[str, list[str]]]
UNIT = '(import (nix + /unit.nix) { inherit lib; coreutils = "/nix/store/coreutils"; })'


def unit(text: str) -> Unit:
    """A unit file's values, as systemd.syntax(7) has it; what it is installed in word by word."""
    sections: Unit = {}
    section: dict[str, list[str]] = {}
    for line in text.replace("\\\n", " ").splitlines():
        line = line.strip()
        if line.startswith("["):
            section = sections.setdefault(line.strip("[]"), {})
        elif line and line[0] not in "#;":
            key, _, value = (part.strip() for part in line.partition("="))
            section.setdefault(key, []).append(value)
    if "Install" in sections:
        sections["Install"] = {key: " ".join(value).split() for key, value in sections["Install"].items()}
    return sections


def lists(sections: Any) -> Unit:
    return {
        name: {key: value if isinstance(value, list) else [value] for key, value in section.items()}
        for name, section in sections.items()
    }


def placed(text: str) -> str:
    """Where Nix has the programs: NixOS's systemd finds none by a mere name."""
    return text.replace("@bindir@", "/nix/store/aimond/bin").replace("=kill ", "=/nix/store/coreutils/bin/kill ")


def shipped(kind: str) -> dict[str, Unit]:
    return {file.stem: unit(placed(file.read_text())) for file in (ROOT / "systemd").glob(f"*.{kind}")}


def test_the_units_are_those_that_are_shipped_but_for_paths() -> None:
    found = configured("{ }", "{ inherit (config.systemd.user) services sockets; }", package="null", stand_in=True)
    assert {name: lists(each) for name, each in found["services"].items()} == shipped("service")
    assert {name: lists(each) for name, each in found["sockets"].items()} == shipped("socket")


ODD = """\
# a comment
[Unit]
Description=Knows = all; and more
; another
After=a.target
After = b.target

[Service]
Type=notify
ExecStart=@bindir@/aimond run \\
    --config %E/x
ExecReload=kill -HUP $MAINPID
Environment=
Environment="A=1 2"

[Install]
WantedBy=default.target  graphical-session.target
"""


def test_a_unit_is_read_as_systemd_reads_it(tmp_path: Path) -> None:
    (tmp_path / "odd.service").write_text(ODD)
    (tmp_path / "README").write_text("not a unit")
    found = value_of(f'{UNIT}.all "/nix/store/aimond" {tmp_path}')
    assert lists(found["services"]["odd"]) == unit(placed(ODD))
    assert found["services"]["odd"]["Unit"]["After"] == ["a.target", "b.target"]
    assert found["services"]["odd"]["Service"]["Environment"] == ["", '"A=1 2"']
    assert list(found["services"]) == ["odd"]


BIND = {"bind": ["127.0.0.1", "::1"]}


@pytest.mark.parametrize(
    ("otlp", "streams"),
    [
        ({}, ["127.0.0.1:4318", "[::1]:4318", "127.0.0.1:4317", "[::1]:4317", "%t/aimond/hook"]),
        ({"http_port": 5318}, ["127.0.0.1:5318", "[::1]:5318", "127.0.0.1:4317", "[::1]:4317", "%t/aimond/hook"]),
        ({"http": False}, ["127.0.0.1:4317", "[::1]:4317", "%t/aimond/hook"]),
        ({"grpc_port": 0}, ["127.0.0.1:4318", "[::1]:4318", "%t/aimond/hook"]),
        ({"bind": ["::1", "10.1.2.3"], "http": False}, ["[::1]:4317", "10.1.2.3:4317", "%t/aimond/hook"]),
    ],
)
def test_the_socket_listens_where_the_settings_say(otlp: dict[str, Any], streams: list[str]) -> None:
    """Of a unit that names the default ports."""
    streams_there = '[ "127.0.0.1:4318" "[::1]:4318" "127.0.0.1:4317" "%t/aimond/hook" ]'
    chosen = json.dumps({"http": True, "http_port": 4318, "grpc": True, "grpc_port": 4317, **BIND, **otlp})
    listening = f"{UNIT}.listening (builtins.fromJSON ''{chosen}'')"
    assert value_of(f"({listening} {{ Socket.ListenStream = {streams_there}; }}).Socket.ListenStream") == streams


def test_a_unit_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "odd.service").write_text("[Unit]\nDescription\n")
    with pytest.raises(Refused, match="not a line of a unit file: Description"):
        value_of(f'{UNIT}.all "/p" {tmp_path}')


def test_the_users_own_word_counts_in_a_unit() -> None:
    own = '{ systemd.user.services.aimond.Service.Restart = "no"; }'
    found = configured(own, "config.systemd.user.services.aimond.Service", package="null", stand_in=True)
    assert lists({"Service": found})["Service"]["Restart"] == ["no"]


# -- the package, the flake -------------------------------------------------------------------------


PACKAGE = "((import (tests + /pkgs.nix) { inherit lib; }).callPackage (nix + /package.nix) { })"


def test_the_package_has_every_dependency_by_nixpkgs_name() -> None:
    """tests/nix/packages.json are attributes of nixpkgs' python3Packages, looked up there by hand."""
    found = value_of(f"let p = {PACKAGE}; in {{ inherit (p) pname version dependencies build-system; }}")
    wanted = [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["top"]]
    names = [re.split(r"[^\w-]", requirement)[0] for requirement in wanted]
    assert [path.removeprefix("/nix/store/") for path in found["dependencies"]] == names
    assert found["build-system"] == ["/nix/store/hatchling"]
    assert (found["pname"], found["version"]) == ("aimond", aimond.__version__)


def test_the_packages_steps_are_shell_and_place_the_programs(tmp_path: Path) -> None:
    script = value_of(f"{PACKAGE}.postInstall")
    replace = 'substituteInPlace() { sed -i "s,$3,$4,g; s,$6,$7,g; s,$9,${10},g" "$1"; }'
    install = 'installManPage() { ls "$@"; }; installShellCompletion() { ls "${@: -1}"; }'  # of installShellFiles
    (tmp_path / "run").write_text(f"set -eu\n{replace}\n{install}\nout={tmp_path}/out\n{script}")
    done = subprocess.run(["bash", str(tmp_path / "run")], cwd=ROOT, check=True, capture_output=True, text=True)
    kinds = ("man", "bash-completion", "zsh", "fish")
    found = [file for kind in kinds for file in (ROOT / "data" / kind).rglob("*") if file.is_file()]
    for_others = {str(file.relative_to(ROOT)) for file in found}
    assert {line for line in done.stdout.splitlines() if line.startswith("data/")} == for_others
    out = tmp_path / "out"
    service = (out / "share/dbus-1/services/org.ai.Monitor.service").read_text()
    assert f"Exec={out}/bin/aimond run\n" in service
    installed = {file.name for file in (out / "lib/systemd/user").glob("*")}
    assert installed == {file.name for kind in ("service", "socket") for file in (ROOT / "systemd").glob(f"*.{kind}")}
    assert not any("@bindir@" in file.read_text() for file in out.rglob("*") if file.is_file())


def test_the_flake_gives_a_package_modules_and_a_check() -> None:
    outputs = f"""
      let
        pkgs = import (tests + /pkgs.nix) {{ inherit lib; }};
        self = (import {ROOT}/flake.nix).outputs {{
          inherit self;
          nixpkgs = {{ inherit lib; legacyPackages = lib.genAttrs [ "x86_64-linux" "aarch64-linux" ] (_: pkgs); }};
        }};
      in {{
        package = self.packages.x86_64-linux.default.pname;
        overlaid = (self.overlays.default pkgs pkgs).aimond.pname;
        modules = map (each: builtins.pathExists each.default) [
          self.homeModules self.homeManagerModules self.nixosModules
        ];
        vm = {{ inherit (self.checks.x86_64-linux.vm) name testScript; }};
      }}
    """
    found = value_of(outputs)
    assert found["package"] == found["overlaid"] == "aimond"
    assert found["modules"] == [True, True, True]
    compile(found["vm"]["testScript"], "vm-test.nix", "exec")


def test_the_settings_name_no_file_but_those_of_setup() -> None:
    text = (ROOT / "nix" / "settings.json").read_text()
    assert set(json.loads(text)) == {"claude-code", "codex", "gemini-cli"}
    assert sys.executable not in text
    assert str(ROOT) not in text
