"""alloy/aimond.alloy by Grafana's own parser: it is formatted, wired to what exists, and as new as the rules."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.pipeline import build, collector
from tests.pipeline.alloyfile import ALLOY, ROOT, SIGNALS, AlloyFile, read

# What a component exports for others to refer to (Grafana Alloy 1.18, reference/components).
EXPORTS = {
    "otelcol.receiver.otlp": (),
    "otelcol.processor.memory_limiter": ("input",),
    "otelcol.processor.transform": ("input",),
    "otelcol.processor.filter": ("input",),
    "otelcol.processor.deltatocumulative": ("input",),
    "otelcol.connector.spanmetrics": ("input",),
    "otelcol.exporter.otlphttp": ("input",),
    "otelcol.exporter.prometheus": ("input",),
    "otelcol.storage.file": ("handler",),
    "otelcol.auth.basic": ("handler",),
    "prometheus.remote_write": ("receiver",),
    "prometheus.scrape": (),
}
# Those that are not "generally available" there.
STABILITY = {"otelcol.storage.file": "public-preview", "otelcol.processor.deltatocumulative": "experimental"}
FILES = sorted((ROOT / "alloy").glob("*.alloy"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_grafana_reads_the_file_and_would_not_format_it_otherwise(path: Path) -> None:
    found = read(path)
    assert found.text == found.formatted


def test_a_file_that_is_none_is_refused(tmp_path: Path) -> None:
    broken = tmp_path / "broken.alloy"
    broken.write_text(ALLOY.read_text().replace("output {", "output", 1))
    with pytest.raises(ValueError, match=r"broken\.alloy"):
        read(broken)


def test_components_are_wired_to_what_others_export(alloy: AlloyFile) -> None:
    exports = {f"{key}.{name}" for key, block in alloy.components.items() for name in EXPORTS[block.name]}
    references = {reference for block in alloy.components.values() for reference in block.references()}
    assert references <= exports
    assert references == exports, "a component that nobody refers to gets nothing"


def test_every_signal_of_both_receivers_comes_to_its_end(alloy: AlloyFile) -> None:
    def ends(key: str, signal: str) -> set[str]:
        block = alloy.components[key]
        outputs = block.outputs("metrics" if block.name == "otelcol.connector.spanmetrics" else signal)
        return {end for output in outputs for end in ends(output, signal)} or {key.removeprefix("otelcol.exporter.")}

    backends = {
        "traces": {"otlphttp.aimond_tempo", "prometheus.aimond"},
        "logs": {"otlphttp.aimond_loki"},
        "metrics": {"prometheus.aimond"},
    }
    for signal in SIGNALS:
        assert ends("otelcol.receiver.otlp.aimond", signal) == backends[signal], "what came from aimond goes back to it"
        assert ends("otelcol.receiver.otlp.aimond_clis", signal) == {*backends[signal], "otlphttp.aimond_desktop"}


def test_receivers_are_for_this_machine_only(alloy: AlloyFile) -> None:
    receivers = [block for block in alloy.components.values() if block.name == "otelcol.receiver.otlp"]
    endpoints = [each.arguments["endpoint"] for block in receivers for each in block.all("http") + block.all("grpc")]
    assert len(set(endpoints)) == 4
    assert all(endpoint.startswith("127.0.0.1:") for endpoint in endpoints)


def test_queues_to_backends_are_on_disk_and_hold_100_megabytes(alloy: AlloyFile) -> None:
    for name in ("aimond_tempo", "aimond_loki"):
        (queue,) = alloy.components[f"otelcol.exporter.otlphttp.{name}"].all("sending_queue")
        assert (queue.arguments["sizer"], queue.arguments["queue_size"]) == ("bytes", 100 * 2**20)
        assert queue.arguments["storage"] == {"ref": "otelcol.storage.file.aimond.handler"}


def test_labels_are_ours_and_the_stability_level_is_named(alloy: AlloyFile) -> None:
    assert all(block.label == "aimond" or block.label.startswith("aimond_") for block in alloy.components.values())
    assert {block.name for block in alloy.components.values()} <= set(EXPORTS)
    assert "--stability.level=experimental" in alloy.text
    assert all(level in alloy.text and name in alloy.text for name, level in STABILITY.items())
    assert '"--stability.level=experimental"' in (ROOT / "nix" / "nixos.nix").read_text()


def test_the_page_has_every_variable_of_the_file_and_no_other(alloy: AlloyFile) -> None:
    page = (ROOT / "docs" / "alloy.md").read_text()
    assert set(re.findall(r'env\("(\w+)"\)', alloy.text)) == set(re.findall(r"`(AIMOND_\w+)`", page))


def test_the_statements_are_as_new_as_the_rules() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "tools" / "gen_alloy.py"), "--check"], capture_output=True, text=True
    )
    assert (done.stdout, done.returncode) == ("", 0)


# -- OTTL: its own parser is in the collector -------------------------------------------------------


def test_every_statement_is_one_of_the_language(alloy: AlloyFile, tmp_path: Path) -> None:
    config = collector.configuration(alloy, "127.0.0.1:9464", "127.0.0.1:9465")
    assert collector.refusal(build.collector(), config, tmp_path) == ""


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        ('set(span.attributes["a"], Lower("A"))', "undefined function"),
        ('set(span.attributes["a"] "b")', "invalid syntax"),
        ('set(spn.attributes["a"], "b")', "spn"),
    ],
)
def test_a_statement_that_is_none_is_refused(alloy: AlloyFile, tmp_path: Path, statement: str, why: str) -> None:
    config = collector.configuration(alloy, "127.0.0.1:9464", "127.0.0.1:9465")
    config["processors"]["transform/aimond_normalize"]["trace_statements"][1]["statements"].append(statement)
    assert why in collector.refusal(build.collector(), config, tmp_path)
