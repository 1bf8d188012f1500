final: _previous: {
  aimond = final.callPackage ./package.nix { };
}
