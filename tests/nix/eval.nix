# nix/ with a configuration: { module, host, programs, package } → its config. By tests/nix/evaluate.py.
# The lib is that of NIXPKGS_LIB (nixpkgs' lib directory), the home-manager that of HOME_MANAGER, else those beside this file.
{ module, host ? "home", programs ? [ ], package ? null, isStandIn ? false }:
let
  given = name: let path = builtins.getEnv name; in if path == "" || isStandIn then null else /. + path;
  nixpkgs = given "NIXPKGS_LIB";
  homeManager = given "HOME_MANAGER";

  lib = if nixpkgs == null then import ./lib.nix else import nixpkgs;
  pkgs = import ./pkgs.nix { inherit lib; };
  hosts = import ./hosts.nix { inherit lib pkgs; };

  ours = if host == "home" then ../../nix/home-manager.nix else ../../nix/nixos.nix;
  configured = {
    services.aimond = { enable = true; } // lib.optionalAttrs (package != null) { package = package; };
  };

  real = import (homeManager + "/modules") {
    pkgs = import (dirOf nixpkgs) { };
    configuration = {
      imports = [ ours configured module ];
      home = { username = "alice"; homeDirectory = "/home/alice"; stateVersion = "24.11"; };
    };
  };
  standIn = lib.evalModules {
    modules = [ (if host == "home" then hosts.home programs else hosts.nixos) ours configured module ];
    specialArgs = { inherit pkgs; };
  };
in
(if homeManager != null && nixpkgs != null && host == "home" then real else standIn).config
