# What each CLI's settings must hold, from settings.json, which is made of what `aimond setup` writes:
# { lib }: { names, wanted, trusted }.
{ lib }:
let
  data = lib.importJSON ./settings.json;

  # A value with the endpoints and programs in their places.
  filled = places: value:
    if builtins.isString value then builtins.replaceStrings (builtins.attrNames places) (builtins.attrValues places) value
    else if builtins.isList value then map (filled places) value
    else if builtins.isAttrs value then builtins.mapAttrs (_: filled places) value
    else value;

  endpoint = isOn: port: if isOn && port != 0 then "http://127.0.0.1:${toString port}" else "";

  # Of an agent: `file`, `format`, `values` ([ { path, value } ]), `hooks` (groups by event), `files` (texts by path).
  # `otlp`: the section of config.toml; `version`: the CLI's, null where it is not known.
  wanted = { otlp, python, site, version ? null }: name:
    let
      agent = data.${name};
      http = endpoint otlp.http otlp.http_port;
      grpc = endpoint otlp.grpc otlp.grpc_port;
      receivers = if http != "" && grpc != "" then "both" else if http != "" then "http" else "grpc";
      fill = filled { "@http@" = http; "@grpc@" = grpc; "@python@" = python; "@site@" = site; };
      isKnown = event: !(agent.since ? ${event}) || (version != null && lib.versionAtLeast version agent.since.${event});
    in
    {
      inherit (agent) title file format;
      receives = http != "" || grpc != "";
      values = map (each: each // { value = fill each.value; }) agent.values.${receivers};
      hooks = lib.filterAttrs (event: _: isKnown event) (fill agent.hooks);
      inherit (agent) files;
    };

  upper = lib.stringToCharacters "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
  snake = event: lib.removePrefix "_" (builtins.replaceStrings upper (map (letter: "_${lib.toLower letter}") upper) event);

  # What Codex CLI notes as `hooks.state` when its user trusts hooks, the first of their events, in the file at that path:
  # of each handler its hash (seen in 0.169.0, which takes it from a file that it cannot write).
  trusted = path: hooks:
    lib.listToAttrs (lib.mapAttrsToList
      (event: groups: {
        name = "${path}:${snake event}:0:0";
        value.trusted_hash = "sha256:" + builtins.hashString "sha256" (builtins.toJSON {
          event_name = snake event;
          hooks = map (handler: { async = false; } // handler) (builtins.head groups).hooks;
        });
      })
      hooks);
in
{
  inherit wanted trusted;
  names = builtins.attrNames data;
}
