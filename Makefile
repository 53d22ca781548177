# make demo, make test and make lab work on a machine with only Python 3.10+ and make.
.DEFAULT_GOAL := help
PYTHON ?= python3
# Runs the tests with the lowest libraries; CI has the lowest Python do it.
LOW_PYTHON ?= $(PYTHON)
VENV := .venv
BIN := $(VENV)/bin
LOW := .venv-low
# What the front-end of the live views is made of; installing the package builds it.
JS := $(wildcard js/src/*) js/package.json js/package-lock.json js/build.mjs hatch_build.py
# Node from PyPI, beside Python.
NPM := PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/npm --prefix js

help: ## Show the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 16

$(VENV)/lab: pyproject.toml $(JS)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
	  { echo "Python 3.10 or newer is needed: make PYTHON=python3.12 ..."; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[lab]'
	@touch $@

$(VENV)/dev: $(VENV)/lab
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@

js/node_modules/.dev: js/package-lock.json | $(VENV)/dev
	$(NPM) ci --silent --ignore-scripts
	@touch $@

$(LOW)/ready: pyproject.toml tests/lowest.txt
	$(LOW_PYTHON) -m venv $(LOW)
	$(LOW)/bin/python -m pip install --quiet --disable-pip-version-check -r tests/lowest.txt -e .
	@touch $@

demo: $(VENV)/lab ## Run the greeter and a year of flights
	$(BIN)/statefun-nb demo

lab: $(VENV)/lab ## Open the tour in JupyterLab
	$(BIN)/statefun-nb lab notebooks

check: $(VENV)/dev js/node_modules/.dev ## Format, lint, types, generated files, architecture
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python tests/typing/check.py
	$(BIN)/python proto/generate.py --check
	$(BIN)/python -m pytest -q -p no:cacheprovider tests/test_architecture.py
	$(NPM) run --silent check

fix: $(VENV)/dev js/node_modules/.dev ## Format, and fix what linters can fix
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	$(NPM) run --silent fix

test: check $(LOW)/ready ## All tests, notebooks, and the lowest libraries; says what it skipped
	$(NPM) run --silent test
	$(BIN)/python -m pytest --cov --cov-report=term $(FLOOR)
	$(BIN)/python -m pytest --nbval -p no:cacheprovider \
	  -o addopts= -W default --ignore notebooks/15_the_real_cluster.ipynb notebooks
	STATEFUN_NB_REQUIRE= $(LOW)/bin/python -m pytest -q tests

test-all: ## The same, and Docker, Chromium and Go must be there (Java 11 or 17 is fetched)
	# A full run covers 92 %; where parts are skipped, there is no floor to hold.
	STATEFUN_NB_REQUIRE=flink,docker,browser,notebooks,lambda,statefun2 $(MAKE) test FLOOR=--cov-fail-under=90

docs: $(VENV)/dev ## Build the pages in docs/_build; a dead link fails it
	$(BIN)/sphinx-build -W --keep-going -q -b html docs docs/_build
	$(BIN)/python docs/sheet.py docs/_build
	@echo docs/_build/index.html

bench: $(VENV)/dev ## Measure, beside the peers; prints a table, writes benchmarks/results.json
	$(BIN)/python -m benchmarks.run

clean: ## Remove what make has made
	rm -rf $(VENV) $(LOW) .pytest_cache .mypy_cache .ruff_cache .coverage
	rm -rf js/node_modules statefun_nb/views/static docs/_build

.PHONY: help demo lab check fix test test-all docs bench clean
