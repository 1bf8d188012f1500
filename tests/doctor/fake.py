"""A CLI that does as it is told, for tests: it prints a version; started without that, a line of JSON on stdin is a log
record of Claude Code's to send to the URL it was given, or a hook to call."""

import json
import os
import subprocess
import sys
import time
import urllib.request

VERSIONS = {"claude": "2.1.330 (Claude Code)", "codex": "codex-cli 0.169.0", "gemini": "0.61.0"}

if sys.argv[1:] == ["--version"]:
    print(VERSIONS[sys.argv[0].rpartition("/")[2]])
    sys.exit()


def send(record: dict[str, str]) -> None:
    pairs = [{"key": key, "value": {"stringValue": value}} for key, value in record.items()]
    log = {"timeUnixNano": str(time.time_ns()), "attributes": pairs}
    scope = {"scope": {"name": "com.anthropic.claude_code.events"}, "logRecords": [log]}
    body = json.dumps({"resourceLogs": [{"scopeLogs": [scope]}]}).encode()
    urllib.request.urlopen(urllib.request.Request(sys.argv[1], body, {"Content-Type": "application/json"})).read()


print(os.getpid(), flush=True)
for line in sys.stdin:
    said = json.loads(line)
    if "hook_event_name" in said:
        subprocess.run([*sys.argv[2:]], input=line.encode(), check=True)
    else:
        send(said)
    print("done", flush=True)
