"""Builds what the pipeline's tests need in Go, once: from the module proxy into a cache that outlives the tree.

usage: python3 -m tests.pipeline.build, with nothing but the standard library and Go. From empty caches it takes 245 s
of one core, and 2.2 GB for modules."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).parent
BUILDER = "go.opentelemetry.io/collector/cmd/builder@v0.161.0"
SMALL = ("-trimpath", "-ldflags=-s -w")


def default_cache() -> Path:
    """Where the programs are kept: ``$AIMOND_PIPELINE_CACHE`` or ``~/.cache/aimond-pipeline``."""
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(os.environ.get("AIMOND_PIPELINE_CACHE") or home / "aimond-pipeline")


def collector() -> Path:
    """An OpenTelemetry Collector with the components of the manifest."""
    manifest = (HERE / "manifest.yaml").read_text()

    def build(into: Path) -> Path:
        go("install", *SMALL, BUILDER, cwd=into, GOBIN=str(into))
        (into / "manifest.yaml").write_text(manifest)
        run([str(into / "builder"), "--config", "manifest.yaml"], into)
        return into / "otelcol" / "otelcol-aimond"

    return _kept("otelcol", manifest + BUILDER, build)


def trace_store() -> Path:
    """The program of ``store/``, of Jaeger's parts: Tempo and VictoriaTraces cannot be had from the module proxy."""
    return _of_sources("store")


def alloy_syntax() -> Path:
    """The program of ``syntax/``."""
    return _of_sources("syntax")


PROGRAMS: tuple[Callable[[], Path], ...] = (collector, trace_store, alloy_syntax)


def _of_sources(name: str) -> Path:
    sources = sorted(each for each in (HERE / name).iterdir() if each.suffix in {".go", ".mod", ".sum"})

    def build(into: Path) -> Path:
        for each in sources:
            shutil.copy(each, into)
        go("build", *SMALL, "-o", name, ".", cwd=into)
        return into / name

    return _kept(name, "".join(each.read_text() for each in sources), build)


def _kept(name: str, recipe: str, build: Callable[[Path], Path]) -> Path:
    """The program as it was built by that recipe, else built now."""
    kept = default_cache() / f"{name}-{hashlib.sha256(recipe.encode()).hexdigest()[:12]}"
    if not kept.exists():
        work = default_cache() / f"{name}.{os.getpid()}"
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        try:
            program = build(work)
            program.replace(kept)  # in one step: two runs may build at once
        finally:
            shutil.rmtree(work, ignore_errors=True)
    return kept


def go(*arguments: str, cwd: Path, **environment: str) -> None:
    run(["go", *arguments], cwd, **environment)


def run(command: list[str], cwd: Path, **environment: str) -> None:
    """Raises RuntimeError with what the command said when it fails."""
    # Without C's compiler what is built is the same everywhere, and sooner.
    given = {**os.environ, "GOFLAGS": "-buildvcs=false -mod=mod", "CGO_ENABLED": "0", **environment}
    ran = subprocess.run(command, cwd=cwd, env=given, capture_output=True, text=True)
    if ran.returncode:
        raise RuntimeError(f"{' '.join(command)}: {ran.stdout[-2000:]}{ran.stderr[-4000:]}")


def main() -> int:
    """Build all that is not there yet."""
    for program in PROGRAMS:
        began = time.monotonic()
        try:
            path = program()
        except (OSError, RuntimeError) as error:
            print(f"cannot build {program.__name__}: {error}", file=sys.stderr)
            return 1
        print(f"{path}: {time.monotonic() - began:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
