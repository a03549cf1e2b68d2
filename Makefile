# The project's commands. `make demo` and `make test` need a Debian or Ubuntu machine with Python 3.11, Go and root.
SHELL := bash
.DELETE_ON_ERROR:
.PHONY: help test lint types unit contract integration e2e e2e-all bench soak demo demo-clean cluster cluster-down plugin crd docs clean

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RESULTS := build/results
PYTEST = $(BIN)/pytest --junitxml=$(RESULTS)/$@.xml
SCENARIO ?=
STAMP := $(VENV)/.installed-$(shell cat requirements-dev.lock pyproject.toml | sha256sum | cut -c1-16)

help: ## Say what there is
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

test: ## Lint, types, unit, contract, integration and e2e; ends with what passed
	@rm -rf $(RESULTS)
	@$(MAKE) --no-print-directory lint types
	@$(BIN)/python tests/levels.py unit contract integration e2e

lint: $(STAMP) ## Style
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMP) ## Types, strictly
	$(BIN)/mypy operator/ccf_operator charts tests e2e

SEARCHES := tests/unit/simulation/test_histories.py tests/unit/simulation/test_crashes.py

unit: $(STAMP) ## The fast loop: pure functions, the parts of the simulator, and some seven hundred histories beside it; HISTORIES=n of each kind
	@mkdir -p $(RESULTS)
	@CCF_HISTORIES=$(or $(HISTORIES),150) $(BIN)/pytest --junitxml=$(RESULTS)/unit.histories.xml $(SEARCHES) \
	  > $(RESULTS)/unit.histories.log 2>&1 & searches=$$!; \
	$(PYTEST) tests/unit $(SEARCHES:%=--ignore=%); rest=$$?; \
	wait $$searches; found=$$?; cat $(RESULTS)/unit.histories.log; exit $$((rest | found))

soak: $(STAMP) ## Thousands of histories of the decisions' model, others each time; HISTORIES=n of each kind (default 3000)
	CCF_SOAK=1 CCF_HISTORIES=$(or $(HISTORIES),3000) $(PYTEST) tests/unit/simulation

contract: $(STAMP) ## The simulator against recordings and ledgers of real CCF nodes
	$(PYTEST) tests/contract

# About half of the time that all of them take: what people do, and what platforms do.
BESIDE := $(wildcard tests/integration/test_*_page.py) $(patsubst %,tests/integration/test_%.py,adoption chart cli completion operator_member starting waiting \
  api_faults refusals taken)

integration: $(STAMP) ## The operator against a real API server; one half of it beside the other
	@mkdir -p $(RESULTS)
	@$(BIN)/pytest --junitxml=$(RESULTS)/integration.beside.xml $(BESIDE) > $(RESULTS)/integration.beside.log 2>&1 & beside=$$!; \
	$(PYTEST) tests/integration $(BESIDE:%=--ignore=%); rest=$$?; \
	wait $$beside; found=$$?; cat $(RESULTS)/integration.beside.log; exit $$((rest | found))

e2e: $(STAMP) ## The scenarios of `make test` on real kubelets; SCENARIO=name runs those so named; CLUSTER=existing, CCF_IMAGE=… elsewhere
	$(PYTEST) e2e $(if $(SCENARIO),-k "$(SCENARIO)",-m "not extended")

e2e-all: $(STAMP) ## All scenarios
	$(PYTEST) e2e

bench: $(STAMP) ## The operator's recovery against a script that has nothing to decide; RUNS=n of each (default 5)
	$(BIN)/python -m e2e.bench $(if $(RUNS),--runs $(RUNS))

demo: $(STAMP) ## The whole story, live in the terminal, on a cluster of its own
	$(BIN)/python -m e2e.demo

demo-clean: $(STAMP) ## Remove what the demo left; the cluster stays
	$(BIN)/python -m e2e.demo clean

cluster: ## Bring up the test cluster and leave it up
	e2e/cluster/cluster up

cluster-down: ## Remove the test cluster without a trace
	e2e/cluster/cluster down

plugin: $(STAMP) ## Install the kubectl plugin `kubectl ccf` in .venv/bin
	@echo "export PATH=$(CURDIR)/$(BIN):\$$PATH"

crd: $(STAMP) ## Generate the CRDs and their reference pages from the models
	$(BIN)/python -m ccf_operator.api.crd crds charts/ccf-operator/files
	$(BIN)/python -m ccf_operator.api.reference docs/reference

docs: crd ## Make the pages of docs/reference and the diagram in docs/recovery.md from the code
	$(BIN)/python -m ccf_operator.domain.transition_diagram docs/recovery.md
	$(BIN)/python -m ccf_operator.cli.reference docs/reference/cli.md
	$(BIN)/python -m ccf_operator.domain.reasons_page docs/reference/conditions.md
	$(BIN)/python charts/values_page.py docs/reference/chart-values.md

clean: ## Remove what was built in the tree
	rm -rf build $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis

$(STAMP): requirements-dev.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { apt-get update -q && apt-get install -yq python3-venv; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@rm -f $(VENV)/.installed-*
	@touch $@
