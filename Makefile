# Two commands matter: `make run` shows the daemon at work, `make test` proves it.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
SECONDS ?=

.PHONY: run test check format bench chaos ledger storm redundancy prove-books clean

# The stamp changes when the dependencies do; everything else runs from the source tree.
$(VENV)/.installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	touch $@

run: $(VENV)/.installed
	$(BIN)/bybitd demo $(if $(SECONDS),--seconds $(SECONDS))

test: $(VENV)/.installed
	$(BIN)/python -m pytest -n 2 --dist loadfile

check: $(VENV)/.installed
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.installed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(VENV)/.installed
	$(BIN)/python -m tests.bench

# Orders through faults; SEED draws the same ones again. Writes build/chaos.json.
chaos: $(VENV)/.installed
	$(BIN)/python -m tests.chaos --runs $(or $(RUNS),1000) $(if $(SEED),--seed $(SEED))

# The ledger against a model of the exchange, for as long as it takes (EXAMPLES runs).
EXAMPLES ?= 3000
ledger: $(VENV)/.installed
	LEDGER_EXAMPLES=$(EXAMPLES) $(BIN)/python -m pytest -p no:logging \
		tests/order_execution/test_ledger_machine.py

# Many clients against ten orders a second; CLIENTS and SECONDS say how many and how long.
storm: $(VENV)/.installed
	$(BIN)/python -m tests.order_execution.storm --clients $(or $(CLIENTS),20) \
		--seconds $(or $(SECONDS),60)

# One of two connections is cut each second, under load: nothing may be lost.
redundancy: $(VENV)/.installed
	$(BIN)/python -m tests.redundancy --cuts $(or $(CUTS),60)

# Random markets, random faults: is every book that is shown one that existed? A failing seed is named.
prove-books: $(VENV)/.installed
	$(BIN)/python -m tests.public_feed.property --cases $(or $(CASES),5000) --seed $(or $(SEED),1)

clean:
	rm -rf $(VENV) build
