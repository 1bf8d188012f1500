# A NixOS machine with one user: `nix flake check` runs it. It needs a Nix store, KVM and nixpkgs; it has not been run
# where aimond is developed, which has none of them. tests/nix/ tells what is tried there.
{ pkgs, module }:
pkgs.testers.runNixOSTest {
  name = "aimond";

  nodes.machine = {
    imports = [ module ];
    services.aimond.enable = true;
    environment.systemPackages = [ pkgs.curl ];
    users.users.alice = {
      isNormalUser = true;
      uid = 1000;
      linger = true;
    };
  };

  testScript = ''
    def alice(command: str) -> str:
        environment = "XDG_RUNTIME_DIR=/run/user/1000 DBUS_SESSION_BUS_ADDRESS=unix:path=/run/user/1000/bus"
        return machine.succeed(f"su alice -c '{environment} {command}'")

    machine.wait_for_unit("user@1000.service")

    with subtest("a call on the bus activates the unit"):
        state = alice("busctl --user get-property org.ai.Monitor /org/ai/Monitor org.ai.Monitor State")
        assert state == 's "none"\n', state
        assert alice("systemctl --user is-active aimond.service") == "active\n"

    with subtest("telemetry is taken, and answered"):
        alice("curl --fail --silent http://127.0.0.1:4318/healthz")

    with subtest("sessions are seen, and the commands tell of them"):
        alice("aimond demo --speed max")
        assert "Claude Code" in alice("aimond status") or "claude-code" in alice("aimond status --json")
  '';
}
