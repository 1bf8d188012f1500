# Everything is read from pyproject.toml: its dependencies are nixpkgs' Python packages of the same names.
{ lib, coreutils, installShellFiles, python3 }:
let
  project = (lib.importTOML ../pyproject.toml).project;

  # "dbus-fast>=5.0" → dbus-fast
  nameOf = requirement: builtins.head (builtins.match "([A-Za-z0-9._-]+).*" requirement);
  packagesOf = map (requirement: python3.pkgs.${lib.toLower (nameOf requirement)});

  version = builtins.head (builtins.match ".*__version__ = \"([^\"]+)\".*" (builtins.readFile ../aimond/__init__.py));
in
python3.pkgs.buildPythonApplication {
  pname = project.name;
  inherit version;
  pyproject = true;

  src = lib.cleanSource ../.;

  nativeBuildInputs = [ installShellFiles ];
  build-system = packagesOf (lib.importTOML ../pyproject.toml).build-system.requires;
  dependencies = packagesOf (project.dependencies ++ project.optional-dependencies.top);

  # The same files that other packages ship, with this one's programs.
  postInstall = ''
    place() {
      install -Dm644 "$1" "$2"
      substituteInPlace "$2" \
        --replace-quiet @bindir@ "$out/bin" \
        --replace-quiet /usr/bin/aimond "$out/bin/aimond" \
        --replace-quiet "=kill " "=${coreutils}/bin/kill "
    }
    for unit in systemd/*.service systemd/*.socket; do
      [ ! -e "$unit" ] || place "$unit" "$out/lib/systemd/user/''${unit##*/}"
    done
    place dbus/org.ai.Monitor.service "$out/share/dbus-1/services/org.ai.Monitor.service"
    install -Dm644 data/applications/* -t "$out/share/applications"
    install -Dm644 data/icons/hicolor/scalable/apps/* -t "$out/share/icons/hicolor/scalable/apps"
    install -Dm644 dbus/org.ai.Monitor.xml -t "$out/share/dbus-1/interfaces"
    installManPage data/man/man*/*
    installShellCompletion --bash --name aimond data/bash-completion/completions/aimond
    installShellCompletion --zsh data/zsh/site-functions/_aimond
    installShellCompletion --fish data/fish/vendor_completions.d/aimond.fish
  '';

  # They need a session bus, terminals and free ports; vm-test.nix tries the package where it will run.
  doCheck = false;
  pythonImportsCheck = [ "aimond.daemon" ];

  # Whose interpreter and modules the CLIs' hooks run.
  passthru = { python = python3; };

  meta = {
    inherit (project) description;
    license = lib.licenses.mit;
    mainProgram = "aimond";
    platforms = lib.platforms.linux;
  };
}
