"""What `aimond doctor` can meet: facts for each of its findings, and what is behind them.

The words are doctor's own, as its rules say them of these facts. tests/manual holds that no finding is missing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from aimond.agents.settings import Configured
from aimond.bus.client import NotRunning
from aimond.commands import doctor_findings
from aimond.commands.doctor_facts import Cli, Facts, Finding, Health, Holder, Monitor, Port, Process, Program

NOW: Final = 1_800_000_000.0
HTTP, ELSEWHERE = "http://127.0.0.1:4318", "http://127.0.0.1:9999"
RUNS: Final = Monitor(version="1", socket="/run/user/1000/aimond/hook", listens=True)
ON: Final = Configured(True, HTTP, "http/protobuf", True, {"Stop": ("hook",), "PermissionRequest": ("hook",)})
OFF: Final = Configured()
AWAY: Final = Configured(True, ELSEWHERE, "http/protobuf")
WELL: Final = Cli(
    "claude", "Claude Code", path="~/.local/bin/claude", version="2.1.330", files="~/.claude/settings.json", now=ON,
    after=ON, health=Health("ok", NOW - 5, 30, 0, 3, NOW - 9),
)  # fmt: skip
CODEX: Final = replace(WELL, name="codex", title="Codex CLI", path="~/.local/bin/codex", version="0.169.0")
ALIVE: Final = Process(4242, age=600)
VARIABLE: Final = "OTEL_EXPORTER_OTLP_ENDPOINT"
OWN: Final = "/etc/claude-code/managed-settings.json"
NOTHING: Final = "nothing"


@dataclass(frozen=True, slots=True)
class Scene:
    """Facts in which doctor finds something ``about`` that; ``why``; and what to ``do`` where doctor says nothing."""

    area: str
    title: str
    about: str
    why: str
    todo: str = NOTHING
    cli: Cli | None = None
    monitor: Monitor = RUNS
    more: Mapping[str, Any] = field(default_factory=dict)


def said(scene: Scene) -> list[Finding]:
    """All that doctor says there."""
    if scene.cli is None:
        return doctor_findings.of_monitor(replace(scene.monitor, **scene.more), has_hooks=True)
    cli = replace(scene.cli, **scene.more)
    return doctor_findings.of_cli(Facts(NOW, scene.monitor, (cli,)), cli)


def _monitor(title: str, about: str, why: str, todo: str = NOTHING, /, **more: Any) -> Scene:
    return Scene("monitor", title, about, why, todo, None, RUNS, more)


def _port(title: str, why: str, holder: Holder, name: str, /, **more: Any) -> Scene:
    return _monitor(title, "listens", why, ports=(Port("HTTP", 4318, holder, name),), **more)


def _cli(title: str, about: str, why: str, todo: str = NOTHING, *, cli: Cli = WELL, **more: Any) -> Scene:
    return Scene("cli", title, about, why, todo, cli, RUNS, more)


def _process(title: str, why: str, todo: str = NOTHING, *, monitor: Monitor = RUNS, **more: Any) -> Scene:
    facts = {key: more.pop(key) for key in ("now", "placeless") if key in more}
    facts["processes"] = (replace(ALIVE, **more),)
    return Scene("processes", title, "running", why, todo, WELL, monitor, facts)


DOWN: Final = Monitor(why=str(NotRunning()))
SCENES: Final = (
    _monitor(
        "config.toml cannot be used", "config.toml",
        "a key that aimond does not know, a value that cannot be, or a mistake in TOML. The message names the file and"
        " the key. Rather than take a default for it, the monitor does not start.",
        config="~/.config/aimond/config.toml: otlp.http_prot: Extra inputs are not permitted",
    ),
    _monitor(
        "The monitor goes on with older settings", "config.toml",
        "config.toml was wrong when the monitor was told to read it again, and is right now. `ConfigError` on the bus"
        " says the same until it is read once more.",
        refused="~/.config/aimond/config.toml: otlp.http_prot: Extra inputs are not permitted",
    ),
    _monitor(
        "The monitor does not run", "monitor",
        "nobody owns `org.ai.Monitor` on this session bus. It may have been ended, or never started; or it runs on"
        " another bus: a shell over SSH, `sudo` or a container often has another `DBUS_SESSION_BUS_ADDRESS`, or none.",
        why=DOWN.why,
    ),
    _port(
        "Another program holds the port",
        "only one program can listen at a port: an OpenTelemetry collector, Grafana Alloy, or the aimond of another"
        " user of this machine. See [below](#a-port-is-taken).",
        Holder.OTHER, "alloy (pid 812)", why=DOWN.why,
    ),
    _port(
        "An aimond on another bus holds the port",
        "you have two session buses, each with its monitor, such as a desktop and a login over SSH. What the CLIs send"
        " reaches the first only.",
        Holder.AIMOND, "aimond (pid 4100)", why=DOWN.why,
    ),
    _port(
        "Nobody listens at the port, though the monitor runs",
        "the monitor reads `config.toml` when it starts, and the ports were changed since.",
        Holder.NOBODY, "",
    ),
    _monitor(
        "Hooks are turned off", "hook socket",
        "`hooks.socket` is `false`. Then questions and ends of turns are known late, or only guessed.",
        "where that is not wanted, remove the key and restart the monitor", socket="", listens=False,
    ),
    _monitor(
        "Nobody listens to hooks", "hook socket",
        "another monitor of yours held the socket when this one started, or its directory could not be made or is not"
        " yours.",
        listens=False,
    ),
    _monitor(
        "The monitor sees no processes", "processes",
        "the service runs in a user namespace, where the kernel tells little of other processes. The rest it is told by"
        " `aimond-broker.service`, see [install.md](install.md#the-broker), which is missing, hangs or does not start.",
        broker="/run/user/1000/aimond/broker",
    ),
    _monitor(
        "Some requests were not forwarded", "forwards",
        "the upstream refused them for good, or they did not fit the spool or the disk; `/metrics` counts which.",
        "see [forward.md](forward.md#when-the-upstream-is-away)", forward="ok", forward_dropped=3,
    ),
    _monitor(
        "Some of what is received is lost on its way on", "forwards",
        "the upstream has been away for so long that the spool is full, or the spool cannot be written.",
        forward="dropping", forward_error="127.0.0.1:14318: Connection refused", forward_dropped=7,
    ),
    _monitor(
        "The price table is old", "prices",
        "calls of models that are newer than the table have no price of its, and prices may have changed.",
        "upgrade aimond's genai-prices, or set `update = true` under `[prices]`: see [config.md](config.md)",
        stale="the price table is of 2026-05-01, 209 days old: upgrade genai-prices, or let it fetch a newer one"
        " ([prices] update = true)",
    ),
    _cli("The CLI is not there", "installed", "neither the program nor anything of aimond in its settings was found.",
         path="", version="", now=OFF, after=OFF),
    _cli("The CLI is set up, and its program is not found", "installed",
         "the `PATH` of this shell does not have it; it may have been removed, or be started by a full path.",
         path="", version=""),
    _cli("The version is unknown", "installed", "`--version` gave nothing that looks like one, or took too long.",
         "see whether the CLI starts at all", version=""),
    _cli("The CLI's settings cannot be read", "settings",
         "they are no JSON, or no TOML. The CLI itself may read less of them than you think.",
         broken="~/.claude/settings.json:12: a comma or } is missing"),
    _cli("Telemetry is off", "telemetry", "the CLI's settings do not turn it on, so it sends nothing.", now=OFF),
    _cli("Telemetry is off, and setup leaves it so", "telemetry",
         "it is turned off by something that `aimond setup` does not overrule: a file of your administrator's or a"
         " project's, or a variable.",
         now=OFF, after=OFF, left=("DISABLE_TELEMETRY is set",), set_by=(OWN,)),
    _cli("Telemetry comes without the token", "telemetry",
         "the monitor asks for a token, and the settings were made before there was one, or hold another.",
         now=replace(ON, admitted=False)),
    _cli("Telemetry goes elsewhere", "telemetry", "the settings name another receiver.", now=AWAY, health=None),
    _cli("Telemetry goes elsewhere, and setup cannot change that", "telemetry",
         "a variable of your shell, or a file that counts before yours, names another receiver.",
         now=AWAY, after=AWAY, set_by=(VARIABLE,), health=None),
    _cli("Telemetry goes elsewhere, and yet arrives", "telemetry",
         "the receiver it goes to, such as a collector, hands it on to aimond.", now=AWAY),
    _cli("The protocol does not fit the port", "telemetry",
         "4317 is for gRPC and 4318 for HTTP; a CLI that speaks one to the port for the other reaches nobody.",
         wants_grpc=True, set_by=("~/.claude/settings.json",)),
    _cli("This version has no hooks", "hooks", "it is too old for them. Telemetry works all the same.",
         "update the CLI", cli=CODEX, version="0.100.0"),
    _cli("Hooks are off in the CLI", "hooks", "with this setting the CLI runs none at all, of nobody.",
         hooks_off=f"disableAllHooks = true in {OWN}"),
    _cli("Hooks are missing", "hooks", "aimond was set up before it knew of these, or somebody took them out.",
         now=replace(ON, missing=("Stop",))),
    _cli("No hooks are installed", "hooks",
         "telemetry alone was set up, or the hooks were taken out. Without them permission prompts are not told apart"
         " from finished turns.",
         now=replace(ON, hooks={}, missing=("Stop",))),
    _cli("Hooks are missing, and setup cannot install them", "hooks", "what is in the way is said by setup itself.",
         "see what `aimond setup claude --dry-run` leaves, and why",
         now=replace(ON, missing=("Stop",)), after=replace(ON, missing=("Stop",))),
    _cli("Hooks are not trusted", "hooks", "Codex CLI runs no hook before its user has agreed to it.",
         cli=CODEX, now=replace(ON, untrusted=("Stop",))),
    _cli("notify is another program's", "hooks", "Codex CLI has one `notify` program, and yours is left alone.",
         cli=CODEX, now=replace(ON, notify="other")),
    _cli("The hook program is gone", "hook program",
         "the settings name a file of an aimond that was moved, removed or updated.",
         programs=(Program("hook", gone="~/old/aimond/commands/hook.py"),)),
    _cli("The hook program fails", "hook program",
         "its Python or its file does not work any more, such as after an update of Python.",
         programs=(Program("aimond hook claude", fault="exit status 127: not found"),)),
    _cli("The hook program is slow", "hook program",
         "a busy machine or a slow disk; the CLI waits for its hooks each time.",
         programs=(Program("hook", seconds=0.25),)),
    _cli("No hook was heard", "heard", "no session has prompted since the monitor was started, or the running ones were"
         " started before the hooks were installed.", "prompt once; if nothing changes, restart the CLI",
         health=Health("ok", NOW - 5, 30)),
    _cli("Hooks arrive, telemetry does not", "last record",
         "a running session reads its telemetry settings when it starts, and this one was started with others.",
         health=Health("silent", 0, 0, 0, 3, NOW - 9), processes=(ALIVE,)),
    _cli("Nothing was received yet", "last record", "no session has sent anything since the monitor was started.",
         "prompt once, wait ten seconds, and look again", health=Health("never", 0, 0, 0, 3, NOW - 9)),
    _cli("Records are not understood", "unknown events",
         "newer versions of a CLI send events that this aimond does not know. The others count.",
         "see whether there is a newer aimond", health=Health("ok", NOW - 5, 30, 4, 3, NOW - 9)),
    _cli("Setup would change something", "setup",
         "all works, but a newer `aimond setup` writes its settings otherwise.",
         "run it when you like", would_change=True),
    _process("A CLI has other settings", "it runs in a container, or was started with another `HOME`.",
             "set it up there, if it is to be seen", apart="another HOME"),
    _process("A CLI runs, and nobody listens", "the monitor is not there to be told.", "start the monitor",
             monitor=DOWN),
    _process("A running CLI's environment says otherwise",
             "it was started from a shell or an editor in which that variable is set, and it counts before the"
             " settings.", sends_to=ELSEWHERE, variable=VARIABLE),
    _process("A CLI runs, and is not set up", "nothing tells it to send.", "run `aimond setup`, and restart it",
             now=OFF),
    _process("A CLI was started before setup", "it read its settings when it started.", before_setup=True),
    _process("A CLI may be one of several", "the monitor has sessions of which it does not know the process.",
             placeless=True),
    _process("A CLI has just been started", "the first records come within a minute.", "wait a minute", age=5.0),
    _process("A CLI was started before the monitor", "it is idle, and says nothing before the next prompt.",
             "prompt it", before_monitor=True),
    _process("A CLI without telemetry has told of no hook", "only hooks reach aimond, and none has come.", "prompt it",
             now=replace(AWAY, hooks=ON.hooks)),
    _process("A CLI is alive but silent",
             "it should have sent something by now. Often it was started before its settings were changed by hand, or"
             " from a program with another environment."),
)  # fmt: skip
