# Unit files as home-manager and NixOS take them, read from those that every other package ships, so that they cannot
# differ: { lib, coreutils }: { parse, placed, listening, all }.
{ lib, coreutils }:
let
  trim = text: builtins.head (builtins.match "[[:space:]]*(.*[^[:space:]])?[[:space:]]*" text);

  # Lines, with those joined that end in a backslash.
  lines = text: lib.splitString "\n" (builtins.replaceStrings [ "\\\n" ] [ " " ] text);

  step = state: raw:
    let
      text = let found = trim raw; in if found == null then "" else found;
      header = builtins.match "\\[(.+)]" text;
      pair = builtins.match "([^=]*[^= \t])[ \t]*=[ \t]*(.*)" text;
      key = builtins.head pair;
      value = builtins.elemAt pair 1;
      section = state.units.${state.name} or { };
    in
    if text == "" || builtins.match "[#;].*" text != null then state
    else if header != null then { name = builtins.head header; units = { ${builtins.head header} = { }; } // state.units; }
    else if pair == null then throw "not a line of a unit file: ${text}"
    else state // {
      units = state.units // {
        ${state.name} = section // { ${key} = if section ? ${key} then lib.toList section.${key} ++ [ value ] else value; };
      };
    };

  # { Section.Key = "value" }, with a list for keys that are there more than once. (foldl' is no deeper than the file.)
  parse = text: (builtins.foldl' step { name = ""; units = { }; } (lines text)).units;

  # The text with where programs are: the package's, and those that NixOS's systemd would not find by their names.
  placed = package: builtins.replaceStrings
    [ "@bindir@" "/usr/bin/aimond" "=kill " ]
    [ "${package}/bin" "${package}/bin/aimond" "=${coreutils}/bin/kill " ];

  # A socket unit that listens where that [otlp] section says, instead of at the places that the file names: not at all
  # where a receiver is off, or takes any free port.
  listening = otlp: unit:
    let
      ports = lib.optional (otlp.http && otlp.http_port != 0) otlp.http_port
        ++ lib.optional (otlp.grpc && otlp.grpc_port != 0) otlp.grpc_port;
      host = address: if builtins.match ".*:.*" address != null then "[${address}]" else address;
      places = lib.concatMap (port: map (address: "${host address}:${toString port}") otlp.bind) ports;
      others = builtins.filter (stream: builtins.match ".*:(4317|4318)" stream == null);
    in
    if unit.Socket or { } ? ListenStream then
      unit // { Socket = unit.Socket // { ListenStream = places ++ others (lib.toList unit.Socket.ListenStream); }; }
    else unit;

  # home-manager and NixOS take lists of what a unit is installed in.
  installed = unit: unit // lib.optionalAttrs (unit ? Install) {
    Install = builtins.mapAttrs
      (_: value: builtins.filter (word: word != "") (lib.concatMap (lib.splitString " ") (lib.toList value)))
      unit.Install;
  };

  kinds = { service = "services"; socket = "sockets"; };

  # { services.NAME = …; sockets.NAME = …; } of a directory, with its programs in that package.
  all = package: directory:
    let
      files = if builtins.pathExists directory then builtins.attrNames (builtins.readDir directory) else [ ];
      unit = file:
        let parts = builtins.match "(.+)\\.(service|socket)" file; in
        lib.optionalAttrs (parts != null) {
          ${kinds.${builtins.elemAt parts 1}}.${builtins.head parts} =
            installed (parse (placed package (builtins.readFile (directory + "/${file}"))));
        };
    in
    builtins.foldl' lib.recursiveUpdate { services = { }; sockets = { }; } (map unit files);
in
{
  inherit parse placed listening all;
}
