# `make demo` and `make test` each do all their own set-up on a machine with Python 3.11 to 3.13.
VENV := .venv
BIN := $(VENV)/bin
IN_VENV := PATH="$(CURDIR)/$(BIN):$$PATH"
PYTHON ?= $(shell for p in python3 python3.12 python3.11 python3.13; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null \
	&& echo $$p && break; done)

.PHONY: help setup demo test lint check format ui bench bench-quality bench-proxy clean test-scale \
	test-golden test-faults

help:
	@echo "make demo    the whole pipeline on a built-in plant, through mlflow run"
	@echo "make test    the tests"
	@echo "make test-golden   the golden record, on the demo and on real recordings too"
	@echo "make test-scale   sweeps over PostgreSQL and an MLflow server, on this machine"
	@echo "make test-faults  each step killed at 25 moments and given again, about two hours"
	@echo "make check   format, lint, types, import layers, docstrings, tests"
	@echo "make ui      compare the runs in a browser, on http://127.0.0.1:5000"
	@echo "make bench   speed and memory, written to docs/benchmarks.md"
	@echo "make bench-quality   every detector on the real recordings, written to docs/benchmarks.md"

$(VENV)/.installed: pyproject.toml
	@test -n "$(PYTHON)" || { echo "error: no Python 3.11 to 3.13 found; install one, or name it: make PYTHON=/path/to/python"; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	touch $@

setup: $(VENV)/.installed
	@$(BIN)/python -c "from asd.tracking.store import client; client()"

demo: setup
	$(IN_VENV) mlflow run . --env-manager local

# Files go to processes whole: their tests share what is slow to make.
test: setup
	$(IN_VENV) pytest -n auto --maxprocesses 4 --dist loadfile

# `make test` holds one small data set to the record; this one all.
test-golden: setup
	$(IN_VENV) ASD_TEST_GOLDEN=1 pytest tests/golden

# A real PostgreSQL and MLflow server on loopback; not part of `make test`.
test-scale: setup
	$(BIN)/python -m pip install --quiet --editable '.[dev,scale]'
	@command -v initdb >/dev/null || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 \
	|| { test "$$(id -u)" = 0 && apt-get update -qq && apt-get install -y -qq postgresql; } \
	|| { echo "error: PostgreSQL is not installed; install it, or run make test-scale as root"; exit 2; }
	$(IN_VENV) ASD_TEST_SCALE=1 pytest tests/scale

# Not part of `make test`; ASD_FAULT_MOMENTS=3 makes it short.
test-faults: setup
	$(IN_VENV) ASD_TEST_FAULTS=1 pytest tests/faults

lint: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/interrogate --quiet asd entrypoints

check: lint test

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

ui: setup
	$(IN_VENV) mlflow ui --port 5000

bench: setup
	$(BIN)/python -m pip install --quiet --editable '.[dev,bench]'
	$(BIN)/python -m benchmarks.bench_speed

bench-proxy: setup
	$(BIN)/python -m benchmarks.bench_proxy

bench-quality: setup
	$(BIN)/python -m benchmarks.bench_quality

clean:
	rm -rf .cache data/demo data/demo-source data/main
