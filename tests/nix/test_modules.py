"""nix/home-manager.nix and nixos.nix: what they come to, and what they refuse."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import tomlkit
from nix.evaluate import ROOT, Refused, configured

from aimond.config import Config, load

DEFAULTS = Config().model_dump(mode="json", by_alias=True)


def toml(settings: str, tmp_path: Path) -> Config:
    """The configuration that the daemon reads of the file written for these settings."""
    file = configured(
        f"{{ services.aimond.settings = {settings}; }}", 'config.xdg.configFile."aimond/config.toml".source.value'
    )
    (tmp_path / "config.toml").write_text(tomlkit.dumps(file))
    return load(tmp_path / "config.toml")


# -- config.toml ------------------------------------------------------------------------------------


def test_every_key_has_an_option_with_the_same_default() -> None:
    assert configured("{ }", "config.services.aimond.settings") == DEFAULTS


def test_no_file_is_written_where_all_is_as_it_is_anyway() -> None:
    same = "{ services.aimond.settings.otlp.http_port = 4318; }"
    assert "aimond/config.toml" not in configured(same, "builtins.attrNames config.xdg.configFile")


def test_the_file_says_what_differs_and_the_daemon_reads_it(tmp_path: Path) -> None:
    config = toml('{ otlp = { http_port = 5318; hosts = [ "box" ]; }; log.level = "debug"; }', tmp_path)
    assert (config.otlp.http_port, config.otlp.hosts, config.log.level) == (5318, ("box",), "debug")
    assert tomlkit.parse((tmp_path / "config.toml").read_text()).unwrap() == {
        "otlp": {"http_port": 5318, "hosts": ["box"]},
        "log": {"level": "debug"},
    }


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ("services.aimond.settings.otlp.http_prot = 1", "services.aimond.settings.otlp.http_prot' does not exist"),
        ("services.aimond.agents.claude.enable = true", "services.aimond.agents.claude' does not exist"),
        ("services.aimond.agents.codex.enabled = true", "services.aimond.agents.codex.enabled' does not exist"),
        ("services.aimonds.enable = true", "services.aimonds' does not exist"),
        ('services.aimond.settings.otlp.http_port = "4318"', "http_port' is not of type"),
        ("services.aimond.settings.otlp.http_port = 65536", "at most 65535"),
        ("services.aimond.settings.sessions.expire = 59", "at least 60"),
        ('services.aimond.settings.log.level = "loud"', "log.level' is not of type"),
        ("services.aimond.settings.otlp.hosts = [ 1 ]", "hosts' is not of type"),
    ],
)
def test_what_config_toml_would_refuse_is_refused(settings: str, says: str) -> None:
    with pytest.raises(Refused, match=says):
        configured(f"{{ {settings}; }}", "config.services.aimond", stand_in=True)


# -- what home-manager writes -----------------------------------------------------------------------


def test_the_bus_activates_the_packages_program() -> None:
    text = configured("{ }", 'config.xdg.dataFile."dbus-1/services/org.ai.Monitor.service".text', package="null")
    assert "Exec=/nix/store/aimond/bin/aimond run" in text.splitlines()
    assert "Name=org.ai.Monitor" in text.splitlines()


def test_a_changed_file_reloads_the_monitor() -> None:
    changed = configured(
        "{ services.aimond.settings.sessions.max = 9; }", 'config.xdg.configFile."aimond/config.toml".onChange'
    )
    assert "--user try-reload-or-restart aimond.service" in changed


def test_nothing_is_set_before_it_is_enabled() -> None:
    off = "{ services.aimond.enable = lib.mkForce false; services.aimond.agents.codex.enable = true; }"
    want = """[
      config.home.packages config.home.file config.xdg.configFile config.xdg.dataFile
      config.systemd.user.services config.systemd.user.sockets config.programs.codex.settings
    ]"""
    assert configured(off, want, stand_in=True) == [[], {}, {}, {}, {}, {}, {}]


# -- the desktop ------------------------------------------------------------------------------------


def test_waybar_shows_the_module_before_those_of_the_user() -> None:
    bar: dict[str, Any] = configured(
        """{
          services.aimond.waybar.enable = true;
          programs.waybar.settings.mainBar = { modules-right = [ "clock" ]; "custom/aimond".on-click-right = "true"; };
        }""",
        "config.programs.waybar.settings.mainBar",
    )
    assert bar["modules-right"] == ["custom/aimond", "clock"]
    module = bar["custom/aimond"]
    assert module["exec"] == f"{ROOT.parent}/bin/aimond waybar"
    assert (module["return-type"], module["on-click-right"]) == ("json", "true")


def test_waybar_is_told_what_the_recipe_says() -> None:
    module = configured("{ }", "config.services.aimond.waybar.module", package="null")
    said = {
        key: value.replace("/nix/store/aimond/bin/", "") if key != "restart-interval" else value
        for key, value in module.items()
    }
    assert said["exec"] == "aimond waybar"
    recipe = ROOT / "docs" / "waybar" / "config.jsonc"
    if recipe.exists():
        (ours,) = re.findall(r'"custom/aimond": (\{.*?\})', re.sub(r"(?m) *//.*$", "", recipe.read_text()), re.DOTALL)
        assert said == {key: value for key, value in json.loads(ours).items() if key != "on-click-middle"}


def test_sway_has_the_keys_that_were_chosen() -> None:
    sway = "config.wayland.windowManager.sway.extraConfig"
    assert configured("{ }", sway, stand_in=True) == ""
    (line,) = configured('{ services.aimond.sway.focusNext = "Mod4+grave"; }', sway, stand_in=True).splitlines()
    assert line == f"bindsym Mod4+grave exec {ROOT.parent}/bin/aimond focus --next"


# -- docs/nix.md ------------------------------------------------------------------------------------


PAGE = (ROOT / "docs" / "nix.md").read_text()


@pytest.mark.parametrize(
    ("file", "example"), re.findall(r"^```nix\n# (home|configuration).nix\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
)
def test_the_examples_are_accepted(file: str, example: str) -> None:
    host = "home" if file == "home" else "nixos"
    found = configured(example, "{ inherit (config) assertions warnings; }", host=host, stand_in=True)
    assert found["warnings"] == []
    assert all(each["assertion"] for each in found["assertions"])


def test_the_page_names_every_option() -> None:
    want = "with config.services.aimond; [ (builtins.attrNames config.services.aimond) agents waybar sway ]"
    top, agents, waybar, sway = configured("{ }", want, stand_in=True)
    names = {*top, *waybar, *sway, *(key for agent in agents.values() for key in agent)}
    assert {name for name in names if not re.search(rf"`[\w.,` -]*\b{name}\b", PAGE)} == set()


# -- NixOS ------------------------------------------------------------------------------------------


def test_nixos_has_the_package_on_the_bus_and_in_systemd() -> None:
    found = configured(
        "{ }",
        "[ config.environment.systemPackages config.systemd.packages config.services.dbus.packages ]",
        host="nixos",
        package="null",
    )
    assert found == [["/nix/store/aimond"]] * 3


def test_nixos_says_so_where_there_is_no_pipeline_yet() -> None:
    want = "builtins.filter (each: !each.assertion) config.assertions"
    assert configured("{ }", want, host="nixos", package="null") == []
    refused = configured("{ services.aimond.alloy.enable = true; }", want, host="nixos", package="null")
    there = (ROOT / "alloy" / "aimond.alloy").exists()
    assert len(refused) == (0 if there else 1)
