# `make` lists the targets. Everything runs in .venv, which is made once from the lock files.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo build cython generate check format test test-all table bench fuzz fuzz-seeds lock clean
SHELL := /bin/bash

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
ORACLE := .venv/.oracle
BENCH := .venv-bench/.ready
RESULTS := benchmarks/RESULTS.md
PART := --only ridge,logistic,one_layer --size tiny,medium --seconds 0.3 --section cells
SPECS := $(sort $(wildcard specs/*.py))
FOLDERS := $(sort $(notdir $(patsubst %/,%,$(dir $(wildcard specs/*/*.py)))))
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(READY) ## build specs/, print each gradient, train a classifier on real data
	@$(BIN)/gradgen build $(SPECS)
	@$(BIN)/python benchmarks/demo_digits.py

build: $(READY) ## build specs/ into generated/
	@$(BIN)/gradgen build $(SPECS)

cython: $(READY) ## build specs/ into generated/ with compiled modules beside the others; what is unchanged is not compiled again
	@$(BIN)/gradgen build $(SPECS) --backend cython

generate: $(READY) ## refresh every generated file: each subfolder of specs/ has one of its own in generated/
	@$(BIN)/gradgen build $(SPECS) --backend cython --no-compile
	@for folder in $(FOLDERS); do $(BIN)/gradgen build specs/$$folder/*.py -o generated/$$folder || exit; done

check: $(READY) ## format, lint, types, layers, freshness of generated/, the code in README and docs
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/gradgen build $(SPECS) --backend cython --check
	@for folder in $(FOLDERS); do $(BIN)/gradgen build specs/$$folder/*.py -o generated/$$folder --check || exit; done
	$(BIN)/python benchmarks/check_readme.py

format: $(READY) ## format the sources
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# Two processes, since two cores are found everywhere: what is named here, and all the rest.
BESIDE := tests/calculus tests/emit tests/kinks
BESIDE_ALL := tests/outside tests/cython/test_random_loops.py generated
ELSEWHERE := tests/outside tests/install tests/gallery generated/gallery

test: $(READY) ## the quick suite and the emitted tests, in two processes
	@$(call together,-m "not slow" $(BESIDE),-m "not slow" $(BESIDE:%=--ignore=%) $(ELSEWHERE:%=--ignore=%))

test-all: $(ORACLE) ## everything: slow tests, outside oracles, seeds and install modes too, in two processes
	@$(call together,$(BESIDE_ALL),$(BESIDE_ALL:%=--ignore=%))

# Two runs of pytest at once: what the first prints stands behind the second, and either may fail.
together = log=$$(mktemp); $(BIN)/python -m pytest -q $(1) > $$log 2>&1 & beside=$$!; \
	$(BIN)/python -m pytest -q $(2); rest=$$?; \
	wait $$beside; beside=$$?; cat $$log; rm -f $$log; exit $$((beside | rest))

table: $(ORACLE) ## print each word of the vocabulary on vectors, matrices and stacks against JAX (3 minutes)
	@OPENBLAS_NUM_THREADS=1 $(BIN)/python tests/outside/vocabulary.py

bench: $(BENCH) ## measure against hand-written NumPy and rivals, into RESULTS.md; QUICK=1 prints a part, RESUME=1 goes on
	@env -u PYTHONPATH .venv-bench/bin/python -m benchmarks.run $(if $(QUICK),$(PART),--out $(RESULTS) $(if $(RESUME),--resume))

N ?= 1000
fuzz: $(ORACLE) ## N=1000 random losses and functions of the whole language against JAX; failures are made small
	@$(BIN)/python tests/outside/random_losses.py $(N)

fuzz-seeds: $(READY) ## 1,000 seeds for each emitted test module
	@$(BIN)/python benchmarks/fuzz_seeds.py 1000

lock: ## resolve the lock files anew (needs uv)
	uv pip compile pyproject.toml --extra demo --extra test --extra dev $(LOCK) -o requirements.lock
	uv pip compile pyproject.toml --extra scipy --extra demo --extra test --extra dev --extra oracle $(LOCK) -c requirements.lock -o requirements-oracle.lock
	uv pip compile pyproject.toml --extra bench $(LOCK) -c requirements-oracle.lock -o requirements-bench.lock

LOCK := --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --quiet \
  --upgrade --no-annotate --custom-compile-command "make lock"

$(READY): requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "gradgen needs Python 3.11 or newer: $$($(PYTHON) --version); try make PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null \
	  || { echo "$(PYTHON) cannot make virtual environments: on Debian and Ubuntu, apt install python3-venv"; exit 1; }
	@echo "Setting up .venv (once) ..."
	@$(PYTHON) -m venv --clear .venv
	@$(PIP) --require-hashes -r requirements.lock
	@$(PIP) --no-deps --no-build-isolation --no-index -e .
	@touch $@

$(ORACLE): $(READY) requirements-oracle.lock
	@echo "Adding the outside oracles to .venv (once) ..."
	@$(PIP) --require-hashes -r requirements-oracle.lock
	@touch $@

$(BENCH): requirements-bench.lock
	@echo "Setting up .venv-bench, the rivals' environment (once) ..."
	@$(PYTHON) -m venv --clear .venv-bench
	@.venv-bench/bin/python -m benchmarks.install
	@touch $@

clean: ## remove the virtual environments and caches
	rm -rf .venv .venv-bench build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
