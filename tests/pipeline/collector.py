"""alloy/aimond.alloy as a configuration of the OpenTelemetry Collector, and that collector, running.

Every component becomes the one that Alloy wraps; each way through the file from a receiver or connector to an exporter
or connector becomes a pipeline. Left out: what has no counterpart (``prometheus.*``: Prometheus scrapes the exporter
instead) and ``otelcol.auth.basic``, whose extension the manifest does not have."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from tests.pipeline.alloyfile import SIGNALS, AlloyFile, Block

Settings = dict[str, Any]
MEBIBYTES: Final = re.compile(r"(\d+)MiB")


def configuration(alloy: AlloyFile, prometheus: str, telemetry: str, **changes: Settings) -> Settings:
    """The same pipelines. ``prometheus`` and ``telemetry``: addresses at which the metrics, and the collector's own,
    are to be scraped; ``changes``: further settings of components, by name with underscores."""
    config: Settings = {"receivers": {}, "processors": {}, "connectors": {}, "exporters": {}, "extensions": {}}
    names = {}
    for key, block in alloy.components.items():
        if block.name in KINDS:
            section, kind, convert = KINDS[block.name]
            names[key] = f"{kind}/{block.label}"
            settings = _expandable(convert(block)) | changes.get(f"{kind}_{block.label}", {})
            config[section][names[key]] = settings
    for exporter in config["exporters"].values():
        exporter.setdefault("endpoint", prometheus)
    host, _, port = telemetry.rpartition(":")
    reader = {"pull": {"exporter": {"prometheus": {"host": host, "port": int(port)}}}}
    config["service"] = {
        "extensions": list(config["extensions"]),
        "pipelines": dict(_pipelines(alloy, names)),
        "telemetry": {"metrics": {"readers": [reader]}},
    }
    return config


def _pipelines(alloy: AlloyFile, names: Mapping[str, str]) -> Iterator[tuple[str, Settings]]:
    """Each way from where data enters to where it leaves; ways that differ in their end only are one."""
    ways: dict[tuple[str, str, tuple[str, ...]], list[str]] = {}

    def follow(source: str, signal: str, at: Block, through: tuple[str, ...]) -> None:
        for key in at.outputs(signal):
            block = alloy.components[key]
            if KINDS[block.name][0] == "processors":
                follow(source, signal, block, (*through, names[key]))
            else:
                ways.setdefault((source, signal, through), []).append(names[key])

    for key, block in alloy.components.items():
        if block.name in KINDS and KINDS[block.name][0] in ("receivers", "connectors"):
            for signal in SIGNALS:
                follow(names[key], signal, block, ())
    for number, ((source, signal, through), ends) in enumerate(ways.items()):
        yield f"{signal}/{number}", {"receivers": [source], "processors": list(through), "exporters": ends}


def _receiver(block: Block) -> Settings:
    return {"protocols": {each.name: each.arguments for each in block.blocks if each.name in ("http", "grpc")}}


def _memory_limiter(block: Block) -> Settings:
    sizes = {name: int(found[1]) for name, text in block.arguments.items() if (found := MEBIBYTES.match(text))}
    return {
        "check_interval": block.arguments["check_interval"],
        "limit_mib": sizes["limit"],
        "spike_limit_mib": sizes["spike_limit"],
    }


def _transform(block: Block) -> Settings:
    groups = {f"{each}_statements": block.all(f"{each}_statements") for each in ("trace", "log", "metric")}
    return block.arguments | {name: [each.arguments for each in found] for name, found in groups.items()}


def _filter(block: Block) -> Settings:
    return block.arguments | {each.name: each.arguments for each in block.blocks if each.name != "output"}


def _spanmetrics(block: Block) -> Settings:
    (histogram,), (exemplars,) = block.all("histogram"), block.all("exemplars")
    return block.arguments | {
        "dimensions": [each.arguments for each in block.all("dimension")],
        "histogram": histogram.arguments | {each.name: each.arguments for each in histogram.blocks},
        "exemplars": exemplars.arguments,
    }


def _otlphttp(block: Block) -> Settings:
    parts = {each.name: dict(each.arguments) for each in block.blocks}
    parts["client"].pop("auth", None)
    if storage := parts["sending_queue"].get("storage"):
        parts["sending_queue"]["storage"] = f"file_storage/{storage['ref'].split('.')[3]}"
    return parts.pop("client") | parts


def _storage(block: Block) -> Settings:
    return block.arguments | {each.name: each.arguments for each in block.blocks}


def _same(block: Block) -> Settings:
    return block.arguments


def _prometheus(block: Block) -> Settings:
    return {"enable_open_metrics": True, "without_scope_info": True, "metric_expiration": "24h"}


KINDS: Final[dict[str, tuple[str, str, Callable[[Block], Settings]]]] = {
    "otelcol.receiver.otlp": ("receivers", "otlp", _receiver),
    "otelcol.processor.memory_limiter": ("processors", "memory_limiter", _memory_limiter),
    "otelcol.processor.transform": ("processors", "transform", _transform),
    "otelcol.processor.filter": ("processors", "filter", _filter),
    "otelcol.processor.deltatocumulative": ("processors", "deltatocumulative", _same),
    "otelcol.connector.spanmetrics": ("connectors", "spanmetrics", _spanmetrics),
    "otelcol.exporter.otlphttp": ("exporters", "otlphttp", _otlphttp),
    "otelcol.exporter.prometheus": ("exporters", "prometheus", _prometheus),
    "otelcol.storage.file": ("extensions", "file_storage", _storage),
}


def _expandable(value: Any) -> Any:
    """The collector puts variables into its configuration; Alloy does not."""
    if isinstance(value, dict):
        return {key: _expandable(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_expandable(each) for each in value]
    return value.replace("$", "$$") if isinstance(value, str) else value


def refusal(program: Path, config: Settings, directory: Path) -> str:
    """Why the collector would not start with that configuration; "" if it would."""
    path = directory / "refused.yaml"
    path.write_text(json.dumps(config))
    ran = subprocess.run([str(program), "validate", "--config", str(path)], capture_output=True, text=True)
    return ran.stderr or ran.stdout or "no reason" if ran.returncode else ""
