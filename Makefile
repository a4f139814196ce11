# The two commands a newcomer needs: `make demo` and `make test`. Everything they need is set up in .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export UV_COMPILE_BYTECODE := 0
export NESTOR_DEMO_HOME ?= .nestor/demo

.PHONY: help demo test test-slow check lint format types imports unit docs lock bench clean

help: ## What can be made
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/.demo ## Set up, ingest samples/, search at four sizes
	@$(BIN)/nestor --home $(NESTOR_DEMO_HOME) demo

test: check unit ## Set up and run every check

check: lint types imports ## Lint, types and import directions

lint: $(VENV)/.dev ## Format and lint
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

format: $(VENV)/.dev ## Put the code into shape
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

types: $(VENV)/.dev ## mypy, strict
	$(BIN)/mypy

imports: $(VENV)/.dev ## Import directions (.importlinter)
	$(BIN)/lint-imports

unit: $(VENV)/.dev ## Every test but the slow tier, on all cores
	$(BIN)/pytest -n auto -m "not slow"

test-slow: $(VENV)/.dev ## The slow tier: long fuzzing, long state machines
	$(BIN)/pytest -n auto -m slow --timeout=3600 -o faulthandler_timeout=3500

docs: $(VENV)/.dev ## Write the generated pages again
	$(BIN)/python -m nestor.cli.reference > docs/cli.md

lock: $(VENV)/.uv ## Resolve the requirements again, with hashes and without addresses
	$(BIN)/uv pip compile pyproject.toml --universal --generate-hashes --no-emit-index-url --quiet \
		--extra app --group demo --no-header -o requirements/demo.txt
	$(BIN)/uv pip compile pyproject.toml --universal --generate-hashes --no-emit-index-url --quiet \
		--extra app --group dev -c requirements/demo.txt --no-header -o requirements/dev.txt

bench: $(VENV)/.dev ## Retrieval quality, media search, client and engine cost (the first two need ../shared/data)
	$(BIN)/python bench/retrieval.py
	$(BIN)/python bench/media.py
	$(BIN)/python bench/client.py
	$(BIN)/python bench/engine.py

clean: ## Remove the environment and the demo's home
	rm -rf $(VENV) .nestor

# uv is installed by pip, by hash; then uv installs the rest, by hash, in seconds.
$(VENV)/.uv: requirements/uv.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Nestor needs Python 3.11 or newer: make PYTHON=python3.12 ...")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.txt
	@touch $@

$(VENV)/.demo: $(VENV)/.uv requirements/demo.txt pyproject.toml
	@test -e $(VENV)/.dev || $(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements/demo.txt
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.uv requirements/dev.txt pyproject.toml
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements/dev.txt
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@
