# One word a chore. Every word works from any folder: make -C path/to/deployctl run
.PHONY: run test lint check mutants bench
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

ROOT := $(dir $(abspath $(lastword $(MAKEFILE_LIST))))
VENV := $(ROOT).venv
PY := $(VENV)/bin/python
PIP := $(PY) -m pip install --quiet --disable-pip-version-check

# Start everything: PORT, DATABASE_URL, DATA_DIR, DEMO=0 and WORKERS change what that is.
run: $(VENV)/.run
	@exec $(PY) $(ROOT)manage.py up

# All checks and all tests; says what it skips, and why.
test: $(VENV)/.dev
	@exec $(ROOT)tests/run.sh

# Form, types and walls, without running anything.
lint: $(VENV)/.dev
	@cd $(ROOT) && $(PY) -m ruff format --check .
	@cd $(ROOT) && $(PY) -m ruff check .
	@cd $(ROOT) && $(PY) -m mypy
	@cd $(ROOT) && $(VENV)/bin/lint-imports --no-cache
	@cd $(ROOT) && $(PY) manage.py makemigrations --check --dry-run

# What to run before a commit: lint, and the tests that need no other process.
check: lint
	@cd $(ROOT) && $(PY) -m pytest -q -m "not serial"

# Faults put into our own code, which the tests must find; AREA=core, services or engine.
mutants: $(VENV)/.dev
	@cd $(ROOT) && exec $(PY) -m tests.mutants $(AREA)

# Ratios against an ideal, into bench/results/latest.json; QUICK=1 for a smaller round.
bench: $(VENV)/.dev
	@cd $(ROOT) && exec $(PY) -m bench

$(VENV)/.run: $(ROOT)requirements.txt
	@test -x $(PY) || python3 -m venv $(VENV)
	@echo "Installing what deployctl runs on ..."
	@$(PIP) -r $<
	@touch $@

$(VENV)/.dev: $(ROOT)requirements-dev.txt $(ROOT)requirements.txt
	@test -x $(PY) || python3 -m venv $(VENV)
	@echo "Installing what its tests need ..."
	@$(PIP) -r $<
	@touch $@ $(VENV)/.run
