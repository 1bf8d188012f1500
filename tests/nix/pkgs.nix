# As much of nixpkgs as nix/ asks for: packages are names of places in the store, and what would be built is the recipe.
{ lib, python ? "/nix/store/python/bin/python3", site ? "/lib/python3.13/site-packages" }:
let
  package = name: { inherit name; outPath = "/nix/store/${name}"; };

  json = lib.types.nullOr (lib.types.oneOf [
    lib.types.bool
    lib.types.int
    lib.types.float
    lib.types.str
    lib.types.path
    (lib.types.attrsOf json)
    (lib.types.listOf json)
  ]);
  format = _: { type = json; generate = name: value: { inherit name value; }; };

  python3 = {
    interpreter = python;
    sitePackages = site;
    # Any package, by its name: each is itself.
    pkgs = lib.genAttrs (lib.importJSON ./packages.json) package // {
      buildPythonApplication = recipe: recipe // recipe.passthru // package recipe.pname;
    };
  };

  pkgs = {
    inherit lib python3;
    formats = { json = format; toml = format; };
    systemd = package "systemd";
    coreutils = package "coreutils";
    installShellFiles = package "installShellFiles";
    curl = package "curl";
    gemini-cli = package "gemini-cli" // { version = "0.61.0"; };
    antigravity-cli = package "antigravity-cli" // { version = "1.0.0"; };
    claude-code = package "claude-code" // { version = "2.1.330"; };
    codex = package "codex" // { version = "0.169.0"; };
    testers.runNixOSTest = test: test;
    callPackage = file: given:
      let function = import file; in
      function (builtins.intersectAttrs (builtins.functionArgs function) pkgs // given);
  };
in
pkgs
