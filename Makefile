# Everything a developer does, one word each. `make` alone explains itself.
# Set-up comes by itself: the first target that needs it makes the virtual environment; later ones find it done.

VENV ?= .venv
PYTHON ?=
ARGS ?=

BIN := $(VENV)/bin
SETUP := python=$$(sh .ci/find-python $(VENV) "$(PYTHON)") && "$$python" .ci/setup.py $(VENV)
PYTEST := $(BIN)/python -m pytest
# tests without services share nothing, so they use every core; those with servers mostly wait, each half has servers of its own
SIDE_BY_SIDE := -n auto --dist loadfile

.DEFAULT_GOAL := help
.PHONY: help setup setup-packages setup-kernels demo test test0 test1 test2 test3 test-long engine lint docs bench wheel clean

help: ## say what can be made
	@echo "usage: make TARGET [ARGS='…'] [PYTHON=/path/to/python3.11] [VENV=.venv]"
	@echo
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/  \1\t\2/p' $(MAKEFILE_LIST) | expand -t 10
	@echo
	@echo "ARGS goes to the command behind the target: make demo ARGS='--input FILE', make test0 ARGS='-k gate -x'."

setup: ## virtual environment, packages, Kafka's jars, kernels (the others call it)
	@$(SETUP) packages jars kernels generic

setup-packages:
	@$(SETUP) packages

setup-kernels:
	@$(SETUP) packages kernels

demo: setup ## payments through Kafka to audited decisions, replayed and reported
	@$(BIN)/assay demo $(ARGS)

test: setup ## tiers 0, 1 and 2: no services, PostgreSQL, Apache Kafka
	@$(PYTEST) -m tier0 $(SIDE_BY_SIDE) $(ARGS)
	@$(PYTEST) -m "tier1 or tier2" -n 2 --dist loadfile $(ARGS)

test0: setup-kernels ## tests without services, the inner loop
	@$(PYTEST) -m tier0 $(SIDE_BY_SIDE) $(ARGS)

test1: setup ## tests with PostgreSQL
	@$(PYTEST) -m tier1 $(ARGS)

test2: setup ## tests with Apache Kafka
	@$(PYTEST) -m tier2 -n 2 --dist loadfile $(ARGS)

test3: setup ## tests with large data, from the directory named by ASSAY_TIER3_DATA
	@$(PYTEST) -m tier3 $(ARGS)

test-long: setup ## the tests that take minutes, such as twenty interrupts of one run
	@$(PYTEST) -m long $(ARGS)

engine: setup ## Faust's known troubles on stock Faust, each once: ARGS='--runs 20 restarted'
	@PYTHONPATH=tests $(BIN)/python -m engine $(ARGS)

lint: setup-packages ## style, types, import directions, generated pages
	@sh .ci/lint $(BIN)

docs: setup-packages ## write the generated pages of docs/ again
	@$(BIN)/assay contracts docs
	@$(BIN)/python -m assay.app.settings_reference docs/settings.md

bench: setup ## measure the lane and the gate on this machine
	@$(BIN)/assay bench lane $(ARGS)
	@$(BIN)/assay bench ingest

wheel: setup-packages ## build the wheel into dist/
	@$(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-deps --no-build-isolation --wheel-dir dist .

clean: ## remove virtual environments, caches and build results; runs/ stays
	@rm -rf .venv .venv-* build dist .hypothesis .mypy_cache .ruff_cache .pytest_cache .import_linter_cache *.egg-info
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
	@echo "removed what set-up and tests made; runs/ stays, and so do the jars in the cache directory (~/.cache/assay)"
