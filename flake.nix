{
  description = "Knows every AI coding session on a Linux desktop and says so on D-Bus";

  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";

  outputs = { self, nixpkgs }:
    let
      each = nixpkgs.lib.genAttrs [ "x86_64-linux" "aarch64-linux" ];
      pkgs = system: nixpkgs.legacyPackages.${system};
      package = system: (pkgs system).callPackage ./nix/package.nix { };
    in
    {
      packages = each (system: { default = package system; });
      overlays.default = import ./nix/overlay.nix;
      homeModules.default = ./nix/home-manager.nix;
      homeManagerModules = self.homeModules;
      nixosModules.default = ./nix/nixos.nix;
      checks = each (system: {
        package = package system;
        vm = import ./nix/vm-test.nix { pkgs = pkgs system; module = self.nixosModules.default; };
      });
    };
}
