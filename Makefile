# Every target does its own set-up: a fresh machine needs Python 3.11 or newer, pip, make and git.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
LEGACY := .venv-legacy
LEGACY_STAMP := $(LEGACY)/.installed
CODE := $(foreach place,src tests bench compiled examples docs,$(if $(shell find $(place) -name "*.py" -print -quit 2>/dev/null),$(place)))
WORKERS ?= 4
# What is tested against the compiled step: what orders go through, and byte for byte the same records.
COMPILED_TESTS := tests/compiled tests/goldens tests/core/liquidity tests/core/measures $(patsubst %,tests/core/test_%.py,quick checks \
	throttles throttles_tightened rates order_limits replacing known_failures limits limits_property overrides explaining determinism \
	ids reduce_only worst_price tags dynamic_limits holders two_persons laws twins forgetting)
PEERS := .venv-peers
PEERS_PYTHON ?= python3.13 python3.12 $(BIN)/python
SEEDS ?= 2000
STUDY ?= study
JOBS ?= 2
# Tests start hundreds of processes; one that compiles its modules again takes three times as long.
unexport PYTHONDONTWRITEBYTECODE

# $(call step,NAME,COMMAND): one clear line when it holds, all of its output when it does not.
define step
@start=$$SECONDS; if out=$$($(2) 2>&1); \
then printf '%-10s ok   %3d s  %s\n' '$(1)' $$((SECONDS - start)) "$$(tail -n 1 <<< "$$out")"; \
else printf '%s\n%-10s FAILED\n' "$$out" '$(1)'; exit 1; fi
endef

$(STAMP): requirements.lock pyproject.toml
	@echo "setting up $(VENV) from requirements.lock"
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("fuseboard needs Python 3.11 or newer")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check 'uv>=0.5' 2> >(grep -v '^WARNING: Location' >&2)
	@VIRTUAL_ENV=$(VENV) $(BIN)/uv pip sync --quiet --require-hashes requirements.lock
	@VIRTUAL_ENV=$(VENV) $(BIN)/uv pip install --quiet --no-deps --editable .
	@touch $@

$(LEGACY_STAMP): tests/clients/requirements-legacy.lock | $(STAMP)
	@echo "setting up $(LEGACY): client libraries that need an environment of their own"
	@$(BIN)/uv venv --quiet --allow-existing --python $(BIN)/python $(LEGACY)
	@VIRTUAL_ENV=$(LEGACY) $(BIN)/uv pip sync --quiet --require-hashes $<
	@touch $@

.PHONY: help setup clients browser run test format-check lint types imports tests coverage format study bench bench-peers soak compiled compiled-test docs lock clean
help: ## show the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: $(STAMP) ## install everything into .venv

clients: $(LEGACY_STAMP) ## install the older client libraries that prove the door into .venv-legacy

browser: ## install Chromium, which draws the lab's report in its test (Debian, as root)
	@command -v chromium >/dev/null || { apt-get -qq update && DEBIAN_FRONTEND=noninteractive \
	apt-get -qq install --yes --no-install-recommends chromium >/dev/null; }

run: $(STAMP) ## see it work: the 6 May 2010 reconstruction with and without Fuseboard, no key, no network
	@$(BIN)/python examples/first_light.py

test: ## all that CI runs: format, lint, types, import contracts, tests with coverage
	@$(MAKE) --no-print-directory --jobs=2 --output-sync=target checks
	@$(MAKE) --no-print-directory tests

# The type checker has one core for half a minute: all that is not a test is done beside it.
.PHONY: checks collect
checks: types format-check lint imports collect $(LEGACY_STAMP)

# Else each worker of the tests compiles every module, and rewrites every assertion, for itself.
collect: $(STAMP)
	$(call step,collect,$(BIN)/pytest -q --collect-only tests)

format-check: $(STAMP)
	$(call step,format,$(BIN)/ruff format --check $(CODE))

lint: $(STAMP)
	$(call step,lint,$(BIN)/ruff check $(CODE))

types: $(STAMP)
	$(call step,types,$(BIN)/mypy $(CODE))

imports: $(STAMP)
	$(call step,imports,$(BIN)/lint-imports --no-cache)

tests: $(STAMP) $(LEGACY_STAMP)
	@rm -f .coverage .coverage.*
	@$(BIN)/pytest -q -n $(WORKERS) --dist=worksteal --cov --cov-report= tests
	@printf '%-10s %s %% of lines and branches (make coverage lists what is missing)\n' coverage "$$($(BIN)/coverage report --format=total)"

coverage: ## list the lines and branches that the last `make test` did not reach
	@$(BIN)/coverage report

format: $(STAMP) ## format the code and mend what the linter can mend
	@$(BIN)/ruff format --quiet $(CODE)
	@$(BIN)/ruff check --quiet --fix $(CODE)

study: $(STAMP) ## the flash crash study again: recorded tapes from FUSEBOARD_DATA, results in STUDY, tables in docs/
	@$(BIN)/fuseboard lab study --policy examples/flash-crash-policy.yaml --out $(STUDY) --jobs $(JOBS) --page docs/flash-crash-study.md

bench: $(STAMP) ## measure: every bench/*.py in order, each printing its table
	@for bench in bench/[a-z]*.py; do echo; echo "== $$bench"; PYTHONPATH=. $(BIN)/python $$bench || exit 1; done

bench-peers: $(STAMP) ## the whole gate, plain and compiled, against NautilusTrader's, in an environment of its own
	@test -x $(PEERS)/bin/nautilus-is-here || { rm -rf $(PEERS); \
	for python in $(PEERS_PYTHON); do $$python -c '' 2>/dev/null || continue; \
	$$python -m venv $(PEERS) && $(BIN)/uv pip install --quiet --python $(PEERS)/bin/python nautilus_trader \
	&& ln -s python $(PEERS)/bin/nautilus-is-here && break; rm -rf $(PEERS); done; }
	@test -d $(PEERS) || echo "skipped the peer: nautilus_trader cannot be installed here (PEERS_PYTHON=PATH names another Python)"
	@$(BIN)/python -m bench.gate_peer
	@if $(BIN)/python -m compiled.build --check; then $(MAKE) --no-print-directory compiled \
	&& echo && echo "== the same, its step compiled" && PYTHONPATH=build/compiled $(BIN)/python -m bench.gate_peer; fi

compiled: $(STAMP) ## the package with its step compiled: build/compiled, and a wheel for this platform in build/
	@$(BIN)/python -m compiled.build

compiled-test: $(STAMP) ## build the compiled step and test it as the interpreted one is
	$(call step,compiled,$(BIN)/python -m compiled.build --tree)
	@PYTHONPATH=$(CURDIR)/build/compiled FUSEBOARD_COMPILED=$(CURDIR)/build/compiled \
	$(BIN)/pytest -q -n $(WORKERS) --dist=worksteal -p no:cacheprovider $(COMPILED_TESTS)

soak: $(STAMP) ## the properties and simulations on many more seeds: make soak SEEDS=20000
	@HYPOTHESIS_PROFILE=soak FUSEBOARD_SEEDS=$(SEEDS) FUSEBOARD_SIMULATION_SEEDS=$(SEEDS) $(BIN)/pytest -q -n $(WORKERS) --timeout=0 tests

docs: $(STAMP) ## write again what docs/ draws from the code
	@$(BIN)/python docs/make_vocabulary.py
	@$(BIN)/python docs/make_core_pages.py
	@$(BIN)/python docs/make_operations.py
	@PYTHONPATH=. $(BIN)/python docs/make_policy.py
	@$(BIN)/python docs/make_measures.py

lock: $(STAMP) ## resolve the lock files again
	@$(BIN)/uv pip compile --quiet --upgrade --group dev --all-extras --generate-hashes --universal --python-version 3.11 --no-emit-index-url pyproject.toml -o requirements.lock
	@$(BIN)/uv pip compile --quiet --upgrade --generate-hashes --universal --python-version 3.11 --no-emit-index-url --override tests/clients/overrides.txt tests/clients/requirements-legacy.in -o tests/clients/requirements-legacy.lock

clean: ## remove every environment and cache of this checkout
	@rm -rf $(VENV) $(LEGACY) $(PEERS) build .coverage .coverage.* .hypothesis .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
