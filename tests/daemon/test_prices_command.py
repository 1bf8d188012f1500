"""``aimond prices`` as a user runs it."""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path

from aimond.tape import read
from tests.daemon.test_command_line import TAPES, Desktop, desktop  # noqa: F401 - a fixture


def post(desktop: Desktop, path: Path) -> None:  # noqa: F811
    recording = read(path)
    for line in recording.lines:
        if line.kind == "otlp" and recording.batch(line):
            headers = {"Content-Type": line.fields["content_type"]}
            if line.fields.get("content_encoding"):
                headers["Content-Encoding"] = line.fields["content_encoding"]
            url = f"http://127.0.0.1:{desktop.http}{line.fields['path']}"
            urllib.request.urlopen(urllib.request.Request(url, line.body, headers)).close()


def test_models_by_name_need_no_monitor(desktop: Desktop) -> None:  # noqa: F811
    shown = desktop.run("prices", "gpt-5.5", "nobody-knows-it")
    assert shown.returncode == 0, shown.stderr
    head, model, above, unknown, *_ = shown.stdout.splitlines()
    assert head.split()[:2] == ["MODEL", "INPUT"]
    assert model.split()[:4] == ["gpt-5.5", "5.00", "0.50", "30.00"]
    assert "genai-prices" in model
    assert above.split()[:6] == ["above", "272,000", "tokens", "of", "input", "10.00"]
    assert "no price known" in unknown


def test_the_users_own_prices_are_shown_with_their_source(desktop: Desktop) -> None:  # noqa: F811
    with desktop.config.open("a") as file:
        file.write('[prices."qwen3-coder"]\ninput = 0\noutput = 0.125\n[prices.default]\ninput = 1\noutput = 2\n')
    told = json.loads(desktop.run("prices", "--json", "qwen3-coder", "nobody-knows-it").stdout)
    guess, local = told["models"]
    assert (local["prices"], local["source"]) == ({"input": "0.00", "output": "0.125"}, "config [prices]")
    assert (local["estimated"], guess["estimated"], guess["prices"]["output"]) == (False, True, "2.00")
    assert told["table"]["date"] <= told["table"]["source"].partition("(")[2]


def test_without_a_name_it_is_the_models_that_the_monitor_has_seen(desktop: Desktop) -> None:  # noqa: F811
    with desktop.monitor():
        assert "no model has been seen" in desktop.run("prices").stdout
        post(desktop, TAPES / "claude/2.1.330/json.tape.jsonl.gz")
        for _ in range(50):
            if "claude-opus-5-5" in (shown := desktop.run("prices").stdout):
                break
    assert shown.splitlines()[1].split()[:6] == ["claude-opus-5-5", "4.00", "0.20", "5.00", "8.00", "20.00"]


def test_nobody_to_ask_is_an_error(desktop: Desktop) -> None:  # noqa: F811
    lost = desktop.run("prices")
    assert (lost.returncode, lost.stdout) == (1, "")
    assert "aimond run" in lost.stderr


def test_a_bad_configuration_is_told(desktop: Desktop) -> None:  # noqa: F811
    desktop.config.write_text("[prices]\nupdates = 1\n")
    wrong = desktop.run("prices", "gpt-5.5")
    assert wrong.returncode == 2
    assert "prices.updates" in wrong.stderr
