# `make run` and `make test` prepare everything they need; nothing else has to be installed but Python 3.11 to 3.13.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
# Without dependencies: the lock is complete, and DiCE asks for another distribution of the same XGBoost.
PIP    := $(BIN)/python -m pip --disable-pip-version-check --quiet install --no-deps --require-hashes
UV     ?= uv

# Tests wait for servers about as much as they compute. The tests of one file share what they started and stay
# together; files go out in the order of their names, so that the long ones of acceptance come first.
WORKERS ?= 2
SHARED  := -n $(WORKERS) --dist loadfile --no-loadscope-reorder

.PHONY: run test check lint types imports prove bench lock openapi capabilities clean

run: $(VENV)/.run
	@$(BIN)/ofrecord run

test: lint types imports
	@$(BIN)/python -m pytest -m "not prove" $(SHARED)

# The same set for a developer in a hurry: everything but the tests that start servers.
check: lint types imports
	@$(BIN)/python -m pytest -q tests/unit tests/property tests/conformance -m "not prove" $(SHARED)

lint: $(VENV)/.dev
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .

types: $(VENV)/.dev
	@$(BIN)/mypy

imports: $(VENV)/.dev
	@$(BIN)/lint-imports

prove: $(VENV)/.dev
	@$(BIN)/python -m pytest -m prove

# About an hour on a machine with nothing else to do; the README's table is drawn from the results.
bench: $(VENV)/.bench
	@mkdir -p benchmarks/results
	@$(BIN)/python -m benchmarks.attribution benchmarks/results/attribution-$(RUNNING).json
	@$(BIN)/python -m benchmarks.process benchmarks/results/process-$(RUNNING).json
	@$(BIN)/python -m benchmarks.registration benchmarks/results/registration-$(RUNNING).json
	@$(BIN)/python -m benchmarks.counterfactuals benchmarks/results/counterfactuals-$(RUNNING).json
	@$(BIN)/python -m benchmarks.budget benchmarks/results/budget-$(RUNNING).json
	@$(BIN)/python -m benchmarks.log benchmarks/results/log-$(RUNNING).json
	@$(BIN)/python -m benchmarks.reports benchmarks/results/reports-$(RUNNING).json
	@$(BIN)/python -m benchmarks.table --write

openapi: $(VENV)/.dev
	@OFRECORD_WRITE_OPENAPI=1 $(BIN)/python -m pytest -q tests/unit/service/test_openapi.py

# What is explained exactly: each library version adds its own lines, so run it once for each Python.
capabilities: $(VENV)/.dev
	@OFRECORD_WRITE_CAPABILITIES=1 $(BIN)/python -m pytest -q tests/conformance/explain/test_capabilities.py

lock:
	@$(UV) lock --upgrade
	@$(UV) $(EXPORT) --only-group build -o requirements/build.txt
	@$(UV) $(EXPORT) --no-dev $(FAMILIES) -o requirements/image.txt
	@$(UV) $(EXPORT) --no-dev --group build $(FAMILIES) --extra embedded --extra examples -o requirements/run.txt
	@$(UV) $(EXPORT) --group build --group dev --all-extras -o requirements/dev.txt
	@$(UV) $(EXPORT) --no-dev --group build --group bench --all-extras -o requirements/bench.txt
	@rm -f uv.lock

# CatBoost pulls matplotlib, plotly and pandas: it is installed where a deployment asks for it.
FAMILIES := --extra lightgbm --extra sklearn --extra dice --extra timestamps
EXPORT := export --quiet --format requirements-txt --no-emit-project --no-header --no-annotate

$(VENV)/bin/python:
	@echo "ofrecord: creating $(VENV)"
	@$(PYTHON) -m venv $(VENV)

define install
	@echo "ofrecord: installing $(1) (hash-pinned)"
	@$(PIP) -r requirements/$(1).txt
	@$(BIN)/python -m pip --disable-pip-version-check --quiet install --no-deps --no-build-isolation --editable .
	@touch $@
endef

$(VENV)/.run: requirements/run.txt pyproject.toml | $(VENV)/bin/python
	$(call install,run)

$(VENV)/.dev: requirements/dev.txt pyproject.toml | $(VENV)/bin/python
	$(call install,dev)

RUNNING = $(shell $(BIN)/python -c "import sys; print('python%d.%d' % sys.version_info[:2])")

$(VENV)/.bench: requirements/bench.txt pyproject.toml | $(VENV)/bin/python
	@echo "ofrecord: installing bench (hash-pinned)"
	@$(PIP) -r requirements/bench.txt
	@$(BIN)/python -m pip --disable-pip-version-check --quiet install --no-deps --no-build-isolation --editable .
	@touch $@

clean:
	@rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache
