# `make run` and `make test` do all set-up themselves.
PYTHON := .venv/bin/python
export PYTHONDONTWRITEBYTECODE = 1

.PHONY: run test lint unit e2e bench faults soak fuzz docs deb help

help:  ## this list
	@awk -F ':.*## ' '/^[a-z0-9]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run:  ## run the monitor on the session bus (a private one if there is none)
	@tools/setup.sh run
	@exec .venv/bin/aimond run $(ARGS)

test: lint unit  ## all that runs in three minutes: style, types, tests

lint:
	@tools/setup.sh test
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m mypy

unit:
	@tools/setup.sh test
	$(PYTHON) -m pytest $(ARGS)

e2e:  ## real CLIs (installed the first time, 870 MB), desktops, systemd, packages
	@tools/setup.sh e2e
	$(PYTHON) -m pytest tests/e2e $(ARGS)

fuzz:  ## a minute of atheris on each thing that strangers' bytes reach
	@tools/setup.sh e2e
	$(PYTHON) -m tests.fuzz $(ARGS)

bench:  ## speed, as ratios against a floor measured in the same run
	@tools/setup.sh test
	$(PYTHON) -m tests.bench

faults:  ## everything that can die does, while tapes play
	@tools/setup.sh test
	$(PYTHON) -m pytest tests/faults tests/history/test_faults.py tests/history/test_kill.py tests/bus/test_connection.py tests/desktop/test_restarts.py $(ARGS)

soak:  ## all tapes at random under random faults, for SOAK_MINUTES (20)
	@tools/setup.sh test
	$(PYTHON) -m tests.soak

docs:  ## write what is generated anew: docs/dbus.md, the manual, nix/*.json
	@tools/setup.sh test
	$(PYTHON) tools/gen_dbus_docs.py
	$(PYTHON) tools/gen_nix.py
	$(PYTHON) tools/gen_manual.py

deb:  ## a Debian package, dist/aimond_VERSION_ARCH.deb
	@tools/setup.sh deb
	@tools/deb.sh
