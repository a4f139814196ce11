# The two commands a newcomer needs: `make demo` and `make test`. Everything they need is set up in .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export UV_COMPILE_BYTECODE := 0
CLIENTS := .venv-clients
N ?= 20000
T ?= 1800
PEERS := bench/.cache/venv
JS := tests/s3vectors_local/clients/js
export NESTOR_DEMO_HOME ?= .nestor/demo

# One more than there are cores: many tests wait for a process or a clock.
WORKERS := $(shell expr $$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2) + 1)

.PHONY: help demo test test-slow check lint format types imports unit clients docs lock bench bench-load bench-nestor bench-page clean

help: ## What can be made
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST) | sort

demo: $(VENV)/.demo ## Set up, ingest samples/, search at four sizes
	@$(BIN)/nestor --home $(NESTOR_DEMO_HOME) demo

# Types are checked beside the tests: that takes a minute of one core.
test: lint imports ## Set up and run every check
	@$(MAKE) --no-print-directory -j2 types unit

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

# What drives the browser keeps an event loop running: other tests cannot have theirs beside it.
unit: $(VENV)/.dev $(VENV)/.browser ## Every test but the slow tier, on all cores
	$(BIN)/pytest -n $(WORKERS) --dist loadgroup -m "not slow" --ignore tests/browser
	$(BIN)/pytest -n $(WORKERS) tests/browser

test-slow: $(VENV)/.dev ## The slow tier: long fuzzing, long state machines
	$(BIN)/pytest -n auto -m slow --timeout=3600 -o faulthandler_timeout=3500

clients: $(CLIENTS)/.ready ## Other people's clients against the server: AWS CLI, JavaScript, LangChain, ...
	$(CLIENTS)/bin/pytest -n auto tests/s3vectors_local/clients tests/nestor/langchain tests/nestor/llamaindex

docs: $(VENV)/.dev ## Write the generated pages again
	$(BIN)/python -m nestor.cli.reference > docs/cli.md

lock: $(VENV)/.uv ## Resolve the requirements again, with hashes and without addresses
	$(BIN)/uv pip compile pyproject.toml --universal --generate-hashes --no-emit-index-url --quiet \
		--extra app --group demo --no-header -o requirements/demo.txt
	$(BIN)/uv pip compile pyproject.toml --universal --generate-hashes --no-emit-index-url --quiet \
		--extra app --group dev -c requirements/demo.txt --no-header -o requirements/dev.txt
	$(BIN)/uv pip compile pyproject.toml --universal --generate-hashes --no-emit-index-url --quiet \
		--extra server --group clients --no-header -o requirements/clients.txt
	for group in lambda lambda-media lambda-api; do \
		$(BIN)/uv pip compile --group $$group --universal --generate-hashes --no-emit-index-url --quiet \
			-c requirements/dev.txt --no-header -o requirements/$$group.txt; done
	$(BIN)/uv pip compile --group bench --universal --generate-hashes --no-emit-index-url --quiet \
		--no-header -o requirements/bench.txt

bench: $(VENV)/.dev $(PEERS)/.ready ## This engine beside other libraries: make bench N=100000
	$(BIN)/python -m bench.engine --rows $(N)

bench-load: $(VENV)/.dev ## Readers and a writer on the server: make bench-load N=100000 T=1800
	$(BIN)/python -m bench.load --rows $(N) --seconds $(T)

bench-nestor: $(VENV)/.dev ## Retrieval quality, media search, client cost (the first two need ../shared/data)
	$(BIN)/python bench/retrieval.py
	$(BIN)/python bench/media.py
	$(BIN)/python bench/client.py
	$(BIN)/python -m bench.store

bench-page: $(VENV)/.dev ## The page and its API over the samples: one user, then 50 for two minutes
	$(BIN)/python -m bench.page

clean: ## Remove the environment and the demo's home
	rm -rf $(VENV) $(CLIENTS) $(JS)/node_modules .nestor infra/cdk.out infra/.cache infra/node_modules

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

# Where the system has no Chromium playwright brings one, or a CI's Debian its own; else the tests of the pages are skipped.
$(VENV)/.browser: $(VENV)/.dev
	@command -v chromium >/dev/null || command -v chromium-browser >/dev/null || \
		timeout 120 $(BIN)/playwright install --only-shell chromium >/dev/null 2>&1 || \
		{ test "$$CI" = true && test "$$(id -u)" = 0 && timeout 60 apt-get update && \
			timeout 240 apt-get install -y --no-install-recommends chromium; } >/dev/null 2>&1 || \
		echo "No Chromium here: the tests of the pages will be skipped."
	@touch $@

# Without npm the JavaScript tests are skipped.
$(CLIENTS)/.ready: $(VENV)/.uv requirements/clients.txt pyproject.toml $(JS)/package-lock.json
	@test -x $(CLIENTS)/bin/python || $(BIN)/uv venv --quiet --python $(BIN)/python $(CLIENTS)
	@$(BIN)/uv pip install --quiet --python $(CLIENTS)/bin/python --require-hashes -r requirements/clients.txt
	@$(BIN)/uv pip install --quiet --python $(CLIENTS)/bin/python --no-deps --no-build-isolation --editable .
	@if command -v npm >/dev/null; then cd $(JS) && npm ci --silent; fi
	@touch $@

$(PEERS)/.ready: $(VENV)/.uv requirements/bench.txt
	@$(BIN)/uv venv --quiet --allow-existing $(PEERS)
	-@$(BIN)/uv pip install --quiet --python $(PEERS)/bin/python --require-hashes -r requirements/bench.txt
	@touch $@

include infra/make.mk
