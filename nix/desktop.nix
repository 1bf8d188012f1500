# Waybar and Sway, for services.aimond of home-manager.
{ config, lib, options, ... }:
let
  cfg = config.services.aimond;

  aimond = "${cfg.package}/bin/aimond";

  # As in docs/waybar/config.jsonc, but for the middle button: which terminal is the user's, nobody knows.
  module = {
    exec = "${aimond} waybar";
    return-type = "json";
    restart-interval = 5;
    on-click = "${aimond} focus --next";
    on-click-right = "${aimond} acknowledge --all";
  };

  key = what: lib.mkOption {
    type = lib.types.nullOr lib.types.str;
    default = null;
    example = "Mod4+grave";
    description = "The key that ${what}; null for none.";
  };

  keys = {
    focusNext = "focus --next";
    acknowledgeAll = "acknowledge --all";
  };

  bound = lib.filterAttrs (_: value: value != null) (builtins.mapAttrs (name: _: cfg.sway.${name}) keys);
in
{
  options.services.aimond = {
    waybar = {
      enable = lib.mkEnableOption "aimond's module in a bar of programs.waybar.settings";
      bar = lib.mkOption {
        type = lib.types.str;
        default = "mainBar";
        description = "The bar's name in programs.waybar.settings.";
      };
      place = lib.mkOption {
        type = lib.types.enum [ "modules-left" "modules-center" "modules-right" ];
        default = "modules-right";
        description = "The side on which it is shown, before the modules of your own.";
      };
      module = lib.mkOption {
        type = lib.types.attrsOf lib.types.anything;
        default = module;
        readOnly = true;
        defaultText = lib.literalMD "`custom/aimond`";
        description = "What Waybar is told, for a bar that is written in another way.";
      };
    };
    sway = {
      focusNext = key "goes to the next session that needs you";
      acknowledgeAll = key "marks everything as seen";
    };
  };

  config = lib.mkIf cfg.enable (lib.optionalAttrs ((options.programs or { }) ? waybar) {
    programs.waybar.settings = lib.mkIf cfg.waybar.enable {
      ${cfg.waybar.bar} = {
        "custom/aimond" = builtins.mapAttrs (_: lib.mkDefault) cfg.waybar.module;
        ${cfg.waybar.place} = lib.mkBefore [ "custom/aimond" ];
      };
    };
  } // lib.optionalAttrs (options ? wayland) {
    # Not config.keybindings: one definition there does away with all of home-manager's own.
    wayland.windowManager.sway.extraConfig = lib.mkIf (bound != { }) (lib.concatStrings
      (lib.mapAttrsToList (name: value: "bindsym ${value} exec ${aimond} ${keys.${name}}\n") bound));
  });
}
