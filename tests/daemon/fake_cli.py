"""A CLI that does as it is told, for tests: a line of JSON on stdin is a log record to send or a hook to call.

Copied to where Claude Code's script would be, it is taken for it.
"""

import json
import os
import subprocess
import sys
import time
import urllib.request

URL, HOOK = sys.argv[1:3]


def send(record: dict[str, str]) -> None:
    pairs = [{"key": key, "value": {"stringValue": value}} for key, value in record.items()]
    log = {"timeUnixNano": str(time.time_ns()), "attributes": pairs}
    scope = {"scope": {"name": "com.anthropic.claude_code.events"}, "logRecords": [log]}
    body = json.dumps({"resourceLogs": [{"scopeLogs": [scope]}]}).encode()
    urllib.request.urlopen(urllib.request.Request(URL, body, {"Content-Type": "application/json"})).read()


print(os.getpid(), flush=True)
for line in sys.stdin:
    said = json.loads(line)
    if "hook_event_name" in said:
        subprocess.run([sys.executable, "-I", "-S", HOOK, "claude"], input=line.encode(), check=True)
    else:
        send(said)
    print("done", flush=True)
