# `make demo` and `make test` each do all their own set-up on a machine with Python 3.11 to 3.13.
VENV := .venv
BIN := $(VENV)/bin
IN_VENV := PATH="$(CURDIR)/$(BIN):$$PATH"
PYTHON ?= $(shell for p in python3 python3.12 python3.11 python3.13; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null \
	&& echo $$p && break; done)

.PHONY: help setup demo test lint check format ui bench bench-quality bench-proxy bench-scale bench-serving clean test-scale \
	test-golden test-faults fuzz sbom locale reference run

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/make \1\t\2/' | expand -t 22

$(VENV)/.installed: pyproject.toml
	@test -n "$(PYTHON)" || { echo "error: no Python 3.11 to 3.13 found; install one, or name it: make PYTHON=/path/to/python"; exit 2; }
	@echo "installing into $(VENV): torch, MLflow and others, about 2.2 GB, some minutes the first time"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	touch $@

setup: $(VENV)/.installed ## .venv with everything, and the MLflow store
	@$(BIN)/python -c "from asd.tracking.experiment import claim_default; claim_default()"

demo: setup ## the whole pipeline on a built-in plant, through mlflow run
	@echo "the demo: about 4 minutes; made recordings, three detectors, a champion"
	$(IN_VENV) mlflow run . --env-manager local

# STEP and P, as in: make run STEP=train P="model=knn data=data/pump"
STEP ?= main
run: setup ## a step through mlflow run, as STEP=train P="model=knn data=data/pump"
	$(IN_VENV) mlflow run . --env-manager local -e $(STEP) $(foreach pair,$(P),-P $(pair))

# Files go to processes whole, since their tests share what is slow to make, and the longest first:
# see tests/conftest.py.
test: setup ## the tests
	$(IN_VENV) pytest -n auto --maxprocesses 4 --no-loadscope-reorder

# `make test` holds one small data set to the record; this one all.
test-golden: setup ## the golden record, on the demo and on real recordings too
	$(IN_VENV) ASD_TEST_GOLDEN=1 pytest tests/golden

# Real servers on loopback: PostgreSQL, MLflow, Dask, moto, Spark; not part of `make test`.
test-scale: setup ## more than one machine: PostgreSQL, Dask, a bucket and Spark, on this one
	$(BIN)/python -m pip install --quiet --editable '.[dev,scale,scale-test,spark]'
	@command -v initdb >/dev/null || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 \
	|| { test "$$(id -u)" = 0 && apt-get update -qq && apt-get install -y -qq postgresql; } \
	|| { echo "error: PostgreSQL is not installed; install it, or run make test-scale as root"; exit 2; }
	@command -v java >/dev/null \
	|| { test "$$(id -u)" = 0 && apt-get update -qq && apt-get install -y -qq openjdk-17-jre-headless; } \
	|| { echo "error: Java is not installed; install it, or run make test-scale as root"; exit 2; }
	$(IN_VENV) ASD_TEST_SCALE=1 pytest tests/scale

# Not part of `make test`; ASD_FAULT_MOMENTS=3 makes it short.
test-faults: setup ## each step ended at 25 moments and given again, an hour or more
	$(IN_VENV) ASD_TEST_FAULTS=1 pytest tests/faults

# Not part of `make test`; ASD_FUZZ_SECONDS is processor time. What it finds is kept as a test.
fuzz: setup ## changed recordings of every container into the decoder, for an hour; Linux
	$(BIN)/python -m pip install --quiet --editable '.[dev,fuzz]'
	$(BIN)/python -m tests.fuzz .cache/fuzz

# Both read what is installed, and ask nobody.
sbom: setup ## refuse packages under licences that bind users, and write sbom.json
	$(BIN)/python -m pip install --quiet --editable '.[dev,sbom]'
	$(BIN)/pip-licenses --summary
	$(BIN)/cyclonedx-py environment $(BIN)/python --pyproject pyproject.toml --output-file sbom.json

lint: setup ## format, lint, types, import layers, docstrings, dangerous calls
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/interrogate --quiet asd entrypoints
	$(BIN)/bandit --quiet --recursive --configfile pyproject.toml asd entrypoints

check: lint test ## lint and the tests: what CI runs

# Catalogues are read from the .mo files, which are kept beside their sources.
locale: setup ## take up new texts, and compile the Japanese ones of asd/locale
	$(BIN)/python -m tests.texts

reference: setup ## all keys of all steps, written to docs/reference.md
	$(BIN)/python -m asd.cli.reference > docs/reference.md

format: setup ## put the code into shape
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

ui: setup ## compare the runs in a browser, on http://127.0.0.1:5000
	@echo "open http://127.0.0.1:5000/#/experiments/0/runs : the answer stands above the runs"
	$(IN_VENV) mlflow ui --port 5000

bench: setup ## speed and memory, written to docs/benchmarks.md
	$(BIN)/python -m pip install --quiet --editable '.[dev,bench]'
	$(BIN)/python -m benchmarks.bench_speed

bench-scale: setup ## time and memory a clip at 100, 1,000 and 10,000 clips, written to docs/scale.md
	$(BIN)/python -m benchmarks.bench_scale

bench-serving: setup ## a real server beside a bare one, written to docs/benchmarks.md
	$(BIN)/python -m benchmarks.bench_serving

bench-proxy: setup ## what sweeps without labels can tell
	$(BIN)/python -m benchmarks.bench_proxy

bench-quality: setup ## every detector on the real recordings, written to docs/benchmarks.md
	$(BIN)/python -m benchmarks.bench_quality

clean: ## remove caches and the demo
	rm -rf .cache data/demo data/demo-source data/main
