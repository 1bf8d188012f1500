# services.aimond for a whole NixOS machine: the monitor for each user who logs in. Settings are the users' own: in their
# config.toml, or by home-manager.nix.
{ config, lib, pkgs, ... }:
let
  cfg = config.services.aimond;
  units = import ./unit.nix { inherit lib; inherit (pkgs) coreutils; };
  shipped = units.all cfg.package ../systemd;
  pipeline = ../alloy/aimond.alloy;

  # NixOS takes no notice of [Install] in units that a package brings. Its short PATH would hide tmux and the CLIs.
  wanted = extra: builtins.mapAttrs (_: unit: { wantedBy = unit.Install.WantedBy or [ ]; } // extra);
in
{
  options.services.aimond = {
    enable = lib.mkEnableOption "aimond, which knows every AI coding session and says so as org.ai.Monitor, for all users";
    package = lib.mkOption {
      type = lib.types.package;
      default = pkgs.callPackage ./package.nix { };
      defaultText = lib.literalExpression "pkgs.callPackage ./package.nix { }";
      description = "The package.";
    };
    alloy.enable = lib.mkEnableOption "the pipeline for Grafana Alloy, in a file beside those of your own in /etc/alloy";
  };

  config = lib.mkIf cfg.enable (lib.mkMerge [
    {
      environment.systemPackages = [ cfg.package ];
      services.dbus.packages = [ cfg.package ];
      systemd.packages = [ cfg.package ];
      systemd.user.services = wanted { enableDefaultPath = false; } shipped.services;
      systemd.user.sockets = wanted { } shipped.sockets;

      assertions = [{
        assertion = cfg.alloy.enable -> builtins.pathExists pipeline;
        message = "services.aimond.alloy.enable: this version of aimond brings no pipeline for Alloy";
      }];
    }
    (lib.mkIf (cfg.alloy.enable && builtins.pathExists pipeline) {
      services.alloy.enable = lib.mkDefault true;
      # For otelcol.storage.file (public-preview) and otelcol.processor.deltatocumulative (experimental).
      services.alloy.extraFlags = [ "--stability.level=experimental" ];
      environment.etc."alloy/aimond.alloy".source = pipeline;
      systemd.services.alloy.reloadTriggers = [ pipeline ];
    })
  ]);
}
