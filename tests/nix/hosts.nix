# What nix/ sets of others, as options: of home-manager with the programs named, and of NixOS. The types are those that
# the real ones have (home-manager: modules/systemd.nix, lib/file-type.nix and modules/programs/, seen in May 2026).
{ lib, pkgs }:
let
  inherit (lib) mkOption types;
  of = type: default: mkOption { inherit type default; };
  json = (pkgs.formats.json { }).type;
  units = of (types.attrsOf (types.attrsOf (types.attrsOf json))) { };

  files = of (types.attrsOf (types.submodule {
    options = {
      text = of (types.nullOr types.lines) null;
      source = of (types.nullOr types.anything) null;
      onChange = of types.lines "";
    };
  })) { };

  common = {
    assertions = of (types.listOf types.anything) [ ];
    warnings = of (types.listOf types.str) [ ];
  };

  program = {
    enable = lib.mkEnableOption "it";
    package = of (types.nullOr types.package) null;
    settings = of json { };
  };

  programs = {
    claude-code = program;
    codex = program // { settings = of (types.nullOr json) { }; hooks = of (types.either json types.path) { }; };
    gemini-cli = program;
    antigravity-cli = program // { useLegacyGeminiConfig = lib.mkEnableOption "it"; };
    waybar = { settings = of (types.either (types.listOf json) (types.attrsOf json)) [ ]; };
  };
in
{
  home = names: {
    options = common // {
      home.packages = of (types.listOf types.package) [ ];
      home.file = files;
      home.homeDirectory = of types.str "/home/alice";
      home.preferXdgDirectories = of types.bool false;
      xdg.configHome = of types.str "/home/alice/.config";
      xdg.configFile = files;
      xdg.dataFile = files;
      systemd.user = {
        services = units;
        sockets = units;
        systemctlPath = of types.str "/nix/store/systemd/bin/systemctl";
      };
      wayland.windowManager.sway.extraConfig = of types.lines "";
      programs = lib.genAttrs names (name: programs.${name});
    };
  };

  nixos = {
    options = common // {
      environment.systemPackages = of (types.listOf types.package) [ ];
      environment.etc = files;
      services.dbus.packages = of (types.listOf types.package) [ ];
      services.alloy.enable = lib.mkEnableOption "it";
      services.alloy.extraFlags = of (types.listOf types.str) [ ];
      systemd.packages = of (types.listOf types.package) [ ];
      systemd.user.services = of (types.attrsOf json) { };
      systemd.user.sockets = of (types.attrsOf json) { };
      systemd.services = of (types.attrsOf (types.attrsOf types.anything)) { };
    };
  };
}
