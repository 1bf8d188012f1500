"""A file of Grafana Alloy as its own parser reads it: components, and what leads from one to the next."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.pipeline.build import alloy_syntax

ROOT = Path(__file__).parents[2]
ALLOY = ROOT / "alloy" / "aimond.alloy"
SIGNALS = ("traces", "logs", "metrics")


@dataclass(frozen=True)
class Block:
    """A component or a block in one."""

    name: str
    label: str
    arguments: dict[str, Any]
    blocks: list[Block]

    @property
    def key(self) -> str:
        """``otelcol.processor.filter.noise``"""
        return f"{self.name}.{self.label}"

    def all(self, name: str) -> list[Block]:
        """The blocks of that name in this one."""
        return [block for block in self.blocks if block.name == name]

    def outputs(self, signal: str) -> list[str]:
        """The components to which it sends a signal."""
        return [_component(to) for block in self.all("output") for to in block.arguments.get(signal, [])]

    def references(self) -> Iterator[str]:
        """All that it or its blocks refer to: ``otelcol.exporter.otlphttp.tempo.input``."""
        yield from _references(self.arguments)
        for block in self.blocks:
            yield from block.references()


@dataclass(frozen=True)
class AlloyFile:
    """``formatted``: as ``alloy fmt`` would write it."""

    components: dict[str, Block]
    text: str
    formatted: str = field(repr=False)


def read(path: Path = ALLOY, environment: Mapping[str, str] | None = None) -> AlloyFile:
    """The file, evaluated in that environment. Raises ValueError with the parser's message."""
    ran = subprocess.run(
        [str(alloy_syntax()), str(path)], env={**os.environ, **(environment or {})}, capture_output=True, text=True
    )
    if ran.returncode:
        raise ValueError(ran.stderr)
    found = json.loads(ran.stdout)
    blocks = [_block(each) for each in found["blocks"]]
    components = {block.key: block for block in blocks}
    if len(components) < len(blocks):
        raise ValueError("two components have the same label")
    return AlloyFile(components, path.read_text(), found["formatted"])


def _block(raw: dict[str, Any]) -> Block:
    return Block(raw["name"], raw["label"], raw["arguments"], [_block(each) for each in raw["blocks"]])


def _component(reference: Any) -> str:
    return str(reference["ref"]).rpartition(".")[0]


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if set(value) == {"ref"}:
            yield value["ref"]
        else:
            for each in value.values():
                yield from _references(each)
    elif isinstance(value, list):
        for each in value:
            yield from _references(each)
