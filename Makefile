# make demo, make test and make lab work on a machine with only Python 3.10+ and make.
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
LOW := .venv-low

help: ## Show the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 16

$(VENV)/lab: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
	  { echo "Python 3.10 or newer is needed: make PYTHON=python3.12 ..."; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[lab]'
	@touch $@

$(VENV)/dev: $(VENV)/lab
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@

$(LOW)/ready: pyproject.toml tests/lowest.txt
	$(PYTHON) -m venv $(LOW)
	$(LOW)/bin/python -m pip install --quiet --disable-pip-version-check -r tests/lowest.txt -e .
	@touch $@

demo: $(VENV)/lab ## Run the greeter and a year of flights
	$(BIN)/statefun-nb demo

lab: $(VENV)/lab ## Open the notebooks in JupyterLab
	$(BIN)/jupyter lab notebooks

check: $(VENV)/dev ## Format, lint, types, generated files
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python proto/generate.py --check

fix: $(VENV)/dev ## Format, and mend what the linter can mend
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

test: check $(LOW)/ready ## The tests: newest libraries, notebooks, lowest libraries; says what it skipped
	$(BIN)/python -m pytest --cov --cov-report=term
	$(BIN)/python -m pytest --nbval --nbval-sanitize-with tests/nbval.cfg \
	  -p no:cacheprovider -o addopts= -W default notebooks
	STATEFUN_NB_REQUIRE= $(LOW)/bin/python -m pytest -q tests

test-all: ## The same, and what real StateFun needs must be there (Java 11 or 17 is fetched)
	STATEFUN_NB_REQUIRE=flink,docker $(MAKE) test

bench: $(VENV)/dev ## Measure, beside the peers; prints a table, writes benchmarks/results.json
	$(BIN)/python -m benchmarks.run

clean: ## Remove what make has made
	rm -rf $(VENV) $(LOW) .pytest_cache .mypy_cache .ruff_cache .coverage

.PHONY: help demo lab check fix test test-all bench clean
