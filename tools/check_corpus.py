#!/usr/bin/env python3
"""Replays every tape of a folder and says where aimond's account differs from what really happened.

The exit status is 1 when anything is wrong, 2 when there was nothing to check.
"""

from __future__ import annotations

import argparse
import sys
from concurrent.futures import ThreadPoolExecutor
from fnmatch import fnmatch
from pathlib import Path

from corpus import report, run
from corpus.verdict import Verdict


def main() -> int:
    """Checks what the command line names."""
    options = _options()
    chosen = [t for t in run.tapes(options.folder) if fnmatch(run.name(t, options.folder), options.filter)]
    if not chosen:
        print(f"no tape of {options.folder} matches {options.filter}", file=sys.stderr)
        return 2
    verdicts = _check(chosen, options)
    print(report.document(verdicts) if options.json else report.table(verdicts, verbose=options.verbose))
    return int(any(verdict.problems for verdict in verdicts))


def _check(tapes: list[Path], options: argparse.Namespace) -> list[Verdict]:
    verdicts = []
    with ThreadPoolExecutor(options.jobs) as pool:
        for verdict in pool.map(lambda tape: run.check(tape, options.folder, only=options.only), tapes):
            verdicts.append(verdict)
            if sys.stderr.isatty():
                print(f"\r{len(verdicts)}/{len(tapes)} {verdict.tape:60.60}", end="", file=sys.stderr)
    if sys.stderr.isatty():
        print("\r" + " " * 80 + "\r", end="", file=sys.stderr)
    return verdicts


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="a folder with NAME.tape.jsonl.gz and NAME.truth.json files")
    parser.add_argument("--json", action="store_true", help="print the verdicts as JSON")
    parser.add_argument("--only", choices=["otlp"], help="replay only what comes over the network")
    parser.add_argument(
        "--filter", default="*", metavar="GLOB", help="only tapes whose name matches, as claude/*/hooks"
    )
    parser.add_argument("-v", "--verbose", action="store_true", help="also what is odd but right")
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="replays at the same time (default 2)")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
