"""``python -m tests.fuzz.one TARGET CORPUS [LIBFUZZER OPTIONS]``: one target, in this process, until its time is up."""

from __future__ import annotations

import logging
import sys

import atheris

with atheris.instrument_imports(include=["aimond"]):
    from tests.fuzz.targets import TARGETS

logging.disable(logging.CRITICAL)  # an input that is merely refused may say so
atheris.Setup([sys.argv[0], *sys.argv[2:]], TARGETS[sys.argv[1]])
atheris.Fuzz()
