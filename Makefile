# `make run` and `make test` do all set-up themselves.
PYTHON := .venv/bin/python
export PYTHONDONTWRITEBYTECODE = 1

.PHONY: run test lint unit e2e pipeline pipeline-build bench bench-long faults soak fuzz docs deb help prove

help:  ## this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run:  ## run the monitor on the session bus (a private one if there is none)
	@tools/setup.sh run
	@exec .venv/bin/aimond run $(ARGS)

test: lint unit  ## all that runs in three minutes: style, types, tests (they wait more than they work: four at a time)

lint:
	@tools/setup.sh test
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m mypy

unit:
	@tools/setup.sh test
	$(PYTHON) -m pytest -n 4 --dist loadfile $(ARGS)

e2e:  ## real CLIs (installed the first time, 870 MB), desktops, systemd, packages
	@tools/setup.sh e2e
	$(PYTHON) -m pytest tests/e2e $(ARGS)

pipeline:  ## the way to Grafana: a real collector, trace store and Prometheus (built in Go the first time)
	@tools/setup.sh pipeline
	$(PYTHON) -m tests.pipeline.build
	$(PYTHON) -m pytest -n 3 --dist loadfile tests/pipeline $(ARGS)

pipeline-build:  ## only what that builds: with Python, Go and a network, and nothing else set up
	@tools/setup.sh go
	python3 -m tests.pipeline.build

fuzz:  ## a minute of atheris on each thing that strangers' bytes reach
	@tools/setup.sh e2e
	$(PYTHON) -m tests.fuzz $(ARGS)

bench:  ## speed, as ratios against a floor measured in the same run
	@tools/setup.sh test
	$(PYTHON) -m tests.bench

bench-long:  ## what a million records of 10,000 sessions leave in memory
	@tools/setup.sh test
	$(PYTHON) -m tests.bench.long

faults:  ## everything that can die does, while tapes play
	@tools/setup.sh test
	$(PYTHON) -m pytest tests/faults tests/history/test_faults.py tests/history/test_kill.py tests/bus/test_connection.py tests/desktop/test_restarts.py $(ARGS)

soak:  ## all tapes at random under random faults, for SOAK_MINUTES (20)
	@tools/setup.sh test
	$(PYTHON) -m tests.soak

prove:  ## each defence taken away: the test that holds it must fail then
	@tools/setup.sh test
	$(PYTHON) tools/prove_defences.py $(ARGS)

docs:  ## write what is generated anew: docs/dbus.md, the manual, nix/*.json, alloy/, grafana/
	@tools/setup.sh test
	$(PYTHON) tools/gen_dbus_docs.py
	$(PYTHON) tools/gen_nix.py
	$(PYTHON) tools/gen_manual.py
	$(PYTHON) tools/gen_alloy.py
	$(PYTHON) tools/gen_grafana.py

deb:  ## a Debian package, dist/aimond_VERSION_ARCH.deb
	@tools/setup.sh deb
	@tools/deb.sh
