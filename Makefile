# Everything a developer does, one word each. `make` alone explains itself.
# Set-up comes by itself: the first target that needs it makes the virtual environment; later ones find it done.

VENV ?= .venv
PYTHON ?=
ARGS ?=

# thousands of processes start in the tests: each compiles nothing again, also where the environment forbids to keep byte code
export PYTHONDONTWRITEBYTECODE :=

# the folders of tests are in memory where it has 8 GB free: tests write some hundred thousand files and wait for the disk each time
MEMORY := $(shell [ "$$(df -Pk /dev/shm 2>/dev/null | awk 'NR == 2 {print $$4}')" -ge 8000000 ] 2>/dev/null && echo /dev/shm)
ifneq ($(MEMORY),)
export PYTEST_DEBUG_TEMPROOT ?= $(MEMORY)
endif

BIN := $(VENV)/bin
SETUP := python=$$(sh .ci/find-python $(VENV) "$(PYTHON)") && "$$python" .ci/setup.py $(VENV)
PYTEST := $(BIN)/python -m pytest
# tests without services share nothing, so they use every core; those with servers mostly wait, each half has servers of its own
SIDE_BY_SIDE := -n auto --dist loadfile
# these wait for processes and servers more than they compute
ON_SERVERS := -n 3 --dist loadfile --no-loadscope-reorder
# built once, in about a minute
S3_SERVER := $(BIN)/python tests/s3_server.py

# what refusal codes the tests have made the product produce; one that is missing after all of them fails `make test`
MET := build/reasons_met
# tests that wait for servers leave room for other work from here on
TIER0_DONE := build/tier0_done

.DEFAULT_GOAL := help
.PHONY: help setup setup-packages setup-site setup-kernels demo test test0 test1 test2 test3 test-tools test-long parity laws simulate fuzz mutants chaos engine lint docs site bench wheel clean

help: ## say what can be made
	@echo "usage: make TARGET [ARGS='…'] [PYTHON=/path/to/python3.11] [VENV=.venv]"
	@echo
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/  \1\t\2/p' $(MAKEFILE_LIST) | expand -t 10
	@echo
	@echo "ARGS goes to the command behind the target: make demo ARGS='--input FILE', make test0 ARGS='-k gate -x'."

setup: ## virtual environment, packages, Kafka's jars, kernels (the others call it)
	@$(SETUP) packages jars kernels generic engine

setup-packages:
	@$(SETUP) packages

setup-site:
	@$(SETUP) packages docs

setup-kernels:
	@$(SETUP) packages kernels

demo: setup ## payments of a synthetic bank through Kafka to audited decisions, replayed and reported
	@$(BIN)/assay demo $(or $(ARGS),--world tiny --payments)

test: setup ## tiers 0, 1 and 2: no services, PostgreSQL and S3, Apache Kafka
	@rm -rf $(MET) $(TIER0_DONE)
	@$(PYTEST) -m tier0 $(SIDE_BY_SIDE) --reasons=$(MET) $(ARGS)
	@touch $(TIER0_DONE)
	@$(S3_SERVER)
	@$(PYTEST) -m "tier1 or tier2" $(ON_SERVERS) --reasons=$(MET) $(ARGS)
	@$(if $(strip $(ARGS)),echo "refusal codes are not counted in a part of the tests",$(BIN)/python tests/reasons_met.py $(MET))

test0: setup-kernels ## tests without services, the inner loop
	@$(PYTEST) -m tier0 $(SIDE_BY_SIDE) $(ARGS)

test1: setup ## tests with PostgreSQL and an S3 server
	@$(S3_SERVER)
	@$(PYTEST) -m tier1 $(ARGS)

test2: setup ## tests with Apache Kafka
	@$(PYTEST) -m tier2 -n 2 --dist loadfile $(ARGS)

test3: setup ## tests with large data, from the directory named by ASSAY_TIER3_DATA
	@$(PYTEST) -m tier3 $(ARGS)

test-tools: setup ## tests that need programs which packages do not bring, where these are found: promtool
	@$(PYTEST) -m tools $(ARGS)

parity: setup ## the stack of production here: an S3 server, Kinesis, Kafka with a user per component; READY to the bus
	@$(S3_SERVER)
	@$(BIN)/python tests/parity.py

test-long: setup ## the tests that take minutes, such as twenty interrupts of one run
	@TEST_EFFORT=whole $(PYTEST) -m long $(ARGS)

laws: setup-kernels ## tier 0 with all examples of its laws; the usual run draws a fifth
	@TEST_EFFORT=whole $(PYTEST) -m tier0 $(SIDE_BY_SIDE) $(ARGS)

simulate: setup-kernels ## 1,000 seeded runs of all lanes with faults, on every core
	@$(BIN)/python tests/simulate.py $(ARGS)

fuzz: setup ## a million damaged inputs to every decoder, states and admission; prints seed, rate and what it found
	@PYTHONPATH=tests $(BIN)/python -m fuzz $(ARGS)

mutants: setup-kernels ## the seeded runs catch every planted defect (tests/simulation/mutants)
	@$(PYTEST) tests/simulation/test_mutants.py -m "tier0 or long" -n auto $(ARGS)

chaos: setup ## faults on real Kafka, each five times, then a random schedule of them; writes runs/chaos/chaos.html
	@PYTHONPATH=tests $(BIN)/python -m chaos $(ARGS)

engine: setup ## Faust's known troubles on stock Faust, each once: ARGS='--runs 20 restarted'
	@PYTHONPATH=tests $(BIN)/python -m engine $(ARGS)

lint: setup-packages ## style, types, import directions, generated pages
	@sh .ci/lint $(BIN)

docs: setup-packages ## write the generated pages of docs/ and the topology as text again
	@$(BIN)/assay contracts docs
	@$(BIN)/assay contracts topology >tests/golden/topology.txt
	@$(BIN)/python -m assay.app.reference.settings_page docs/settings.md
	@$(BIN)/python -m assay.app.reference.metrics_page docs/metrics.md

site: setup-site ## build the documentation site into build/site; open build/site/index.html
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict $(ARGS)
	@echo "the site is in build/site: open build/site/index.html"

bench: setup ## measure the lane and the gate on this machine
	@$(BIN)/assay bench lane $(ARGS)
	@$(BIN)/assay bench ingest

wheel: setup-packages ## build the wheel into dist/
	@$(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-deps --no-build-isolation --wheel-dir dist .

clean: ## remove virtual environments, caches and build results; runs/ stays
	@rm -rf .venv .venv-* build dist .hypothesis .mypy_cache .ruff_cache .pytest_cache .import_linter_cache *.egg-info
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
	@echo "removed what set-up and tests made; runs/ stays, and so do the jars in the cache directory (~/.cache/assay)"
