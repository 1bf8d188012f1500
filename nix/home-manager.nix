# services.aimond for home-manager; docs/nix.md tells how to use it.
{ config, lib, options, pkgs, ... }:
let
  cfg = config.services.aimond;
  declared = options.programs or { };

  schema = lib.importJSON ./options.json;
  toml = import ./schema.nix { inherit lib schema; };
  units = import ./unit.nix { inherit lib; inherit (pkgs) coreutils; };
  agents = import ./agents.nix { inherit lib; };

  settings = toml.pruned cfg.settings;
  files = units.all cfg.package ../systemd;
  shipped = files // { sockets = builtins.mapAttrs (_: units.listening cfg.settings.otlp) files.sockets; };

  # home-manager's module of each CLI, "" where this home-manager has none. Gemini CLI's was renamed in May 2026; the old
  # name would still do, but with a warning, and would make a Gemini CLI of an Antigravity CLI.
  module = {
    claude-code = lib.optionalString (declared ? claude-code) "claude-code";
    codex = lib.optionalString (declared ? codex) "codex";
    gemini-cli =
      if declared ? antigravity-cli then "antigravity-cli"
      else lib.optionalString (declared ? gemini-cli) "gemini-cli";
  };

  # Whether that module writes the CLI's settings; else they are a file of ours.
  writes = name:
    let
      program = config.programs.${module.${name}};
      isGemini = program.useLegacyGeminiConfig or false || (program.package or null != null && lib.getName program.package == "gemini-cli");
    in
    module.${name} != "" && program.enable && (module.${name} != "antigravity-cli" || isGemini);

  versionOf = name:
    let package = (config.programs.${module.${name}} or { }).package or null; in
    if module.${name} == "" || package == null then null else package.version or null;

  wanted = name: agents.wanted
    {
      inherit (cfg.settings) otlp;
      inherit (cfg.agents.${name}) version;
      python = cfg.package.python.interpreter;
      site = "${cfg.package}/${cfg.package.python.sitePackages}";
    }
    name;

  # What goes into the CLI's settings, in parts: `value` is what a value of ours is wrapped in, `groups` the hooks of an event.
  parts = value: groups: name:
    let agent = cfg.agents.${name}; in
    lib.optionals agent.telemetry (map (each: lib.setAttrByPath each.path (value each.value)) (wanted name).values)
    ++ lib.optional agent.hooks { hooks = builtins.mapAttrs (_: groups) (wanted name).hooks; }
    ++ lib.optional (agent.hooks && agent.trust or false) {
      hooks.state = agents.trusted "${codexHome}/config.toml" (wanted name).hooks;
    };

  # The user's own values count before each of ours. Hooks come after the user's, but for those that are trusted by number.
  tree = name: lib.mkMerge (parts lib.mkDefault (if cfg.agents.${name}.trust or false then lib.mkBefore else lib.mkAfter) name);

  # The same, where nobody else has settings.
  alone = name: builtins.foldl' lib.recursiveUpdate { } (parts (value: value) (groups: groups) name);

  codexHome =
    if writes "codex" && config.home.preferXdgDirectories or false then "${config.xdg.configHome}/codex"
    else "${config.home.homeDirectory}/.codex";

  each = function: map function agents.names;
  on = name: cfg.enable && cfg.agents.${name}.enable;

  agentOptions = name: {
    enable = lib.mkEnableOption "aimond for ${(wanted name).title}: its telemetry and hooks, as `aimond setup` sets them";
    telemetry = lib.mkOption {
      type = lib.types.bool;
      default = true;
      description = "Whether its telemetry is sent to aimond. Switch it off where yours goes elsewhere; hooks then tell all but tokens and cost.";
    };
    hooks = lib.mkOption {
      type = lib.types.bool;
      default = true;
      description = "Whether its hooks tell aimond what it does, after hooks of your own.";
    };
    version = lib.mkOption {
      type = lib.types.nullOr lib.types.str;
      default = versionOf name;
      defaultText = lib.literalExpression "that of home-manager's package for it";
      description = "Its version, as older ones do not read settings with hooks they do not know. null: only hooks that all versions know.";
    };
  } // lib.optionalAttrs (name == "codex") {
    trust = lib.mkOption {
      type = lib.types.bool;
      default = false;
      description = "Whether you trust aimond's hooks, so that Codex CLI runs them. It cannot note your answer to that question in a config.toml of home-manager's, and would run none.";
    };
  } // lib.optionalAttrs ((wanted name).files != { }) {
    files = lib.mkOption {
      type = lib.types.bool;
      default = true;
      description = "Whether lines are added to ${lib.concatStringsSep ", " (builtins.attrNames (wanted name).files)} too, so that spans come sooner. Switch it off where such a file is there that home-manager does not write.";
    };
  };
in
{
  imports = [ ./desktop.nix ];

  options.services.aimond = {
    enable = lib.mkEnableOption "aimond, which knows every AI coding session and says so as org.ai.Monitor";
    package = lib.mkOption {
      type = lib.types.package;
      default = pkgs.callPackage ./package.nix { };
      defaultText = lib.literalExpression "pkgs.callPackage ./package.nix { }";
      description = "The package.";
    };
    settings = lib.mkOption {
      type = lib.types.submodule { inherit (toml) options; };
      default = { };
      description = "What config.toml says: docs/config.md. A file is written only where something is not as it is anyway.";
    };
    agents = lib.genAttrs agents.names agentOptions;
  };

  config = lib.mkIf cfg.enable {
    home.packages = [ cfg.package ];

    # Each key by itself, so that `systemd.user.services.aimond.Service.KEY` of your own counts before it.
    systemd.user = builtins.mapAttrs
      (_: builtins.mapAttrs (_: builtins.mapAttrs (_: builtins.mapAttrs (_: lib.mkDefault))))
      shipped;

    xdg.dataFile."dbus-1/services/org.ai.Monitor.service".text =
      units.placed cfg.package (builtins.readFile ../dbus/org.ai.Monitor.service);

    xdg.configFile."aimond/config.toml" = lib.mkIf (settings != { }) {
      source = (pkgs.formats.toml { }).generate "aimond-config.toml" settings;
      onChange = "${config.systemd.user.systemctlPath} --user try-reload-or-restart aimond.service || true";
    };

    # An option that is not declared must not be defined, not even under mkIf.
    programs = builtins.listToAttrs (lib.concatMap
      (name: lib.optional (module.${name} != "") {
        name = module.${name};
        value.settings = lib.mkIf (on name && writes name) (tree name);
      })
      agents.names);

    # mkOverride: below home-manager's own mkDefault, which is used for `text` of yours.
    home.file = lib.mkMerge (
      each (name: lib.mkIf (on name && !(writes name)) {
        ${(wanted name).file}.source = lib.mkOverride 1100
          ((pkgs.formats.${(wanted name).format} { }).generate "aimond-${name}-settings" (alone name));
      })
      ++ each (name: lib.mkIf (on name && cfg.agents.${name}.telemetry && cfg.agents.${name}.files or false)
        (builtins.mapAttrs (_: text: { text = lib.mkBefore text; }) (wanted name).files))
    );

    assertions = each (name: {
      assertion = on name -> !cfg.agents.${name}.telemetry || (wanted name).receives;
      message = "services.aimond.agents.${name}: services.aimond.settings.otlp leaves no fixed port for telemetry to go to";
    });

    warnings = lib.concatMap
      (name:
        let
          said = config.programs.${module.${name}}.settings;
          moved = builtins.filter
            (value: lib.hasInfix "http://127.0.0.1" (builtins.toJSON value.value) && lib.attrByPath value.path value.value said != value.value)
            (wanted name).values;
        in
        lib.optional (on name && writes name && cfg.agents.${name}.telemetry && moved != [ ]) ''
          programs.${module.${name}}.settings sends telemetry elsewhere (${lib.concatMapStringsSep ", " (value: lib.concatStringsSep "." value.path) moved}),
          with what aimond asks for beside it. If that is not meant, set services.aimond.agents.${name}.telemetry = false;
          aimond then hears the hooks only. For more, let that collector pass a copy on.
        ''
        ++ lib.optional (name == "codex" && on name && writes name && cfg.agents.${name}.hooks && config.programs.codex.hooks or { } != { }) ''
          Codex CLI complains at every start of hooks in both config.toml and hooks.json: move programs.codex.hooks to
          programs.codex.settings.hooks, where aimond's are.
        '')
      agents.names;
  };
}
