# What a person types: `make demo`, `make test`, `make check`. Needs Python 3.11 to 3.14 and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO := demo-library

.PHONY: help demo test check lint types soak bench clean

help:
	@echo "make demo    index the example photos and ask three questions"
	@echo "make test    run every test"
	@echo "make check   lint, format check, types, then every test (what CI runs)"
	@echo "make soak    the long proofs that docs/reliability.md quotes (hours)"
	@echo "make bench   the measurements that docs/performance.md quotes"
	@echo "make clean   remove the environment and the demo's library"

# A stamp for each set of packages: a second run touches nothing and needs no network.
$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.base: setup.cfg pyproject.toml | $(BIN)/python
	@echo "installing into $(VENV) (about 400 MB, once)"
	@PYTHONWARNINGS=ignore $(BIN)/python -m pip install --quiet --disable-pip-version-check -e .
	@touch $@

$(VENV)/.dev: requirements-dev.txt setup.cfg pyproject.toml | $(BIN)/python
	@echo "installing what tests and training need into $(VENV) (about 2 GB, once)"
	@PYTHONWARNINGS=ignore $(BIN)/python -m pip install --quiet --disable-pip-version-check -r $<
	@touch $@ $(VENV)/.base

demo: $(VENV)/.base
	@$(BIN)/python cli.py index examples/images --library $(DEMO)
	@for query in "a cup of coffee on a wooden table" "a red hot air balloon" \
	    "snow on a mountain peak"; do \
	  echo; echo "$$ python cli.py query \"$$query\""; \
	  $(BIN)/python cli.py query "$$query" -k 3 --library $(DEMO) || exit 1; \
	done

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.dev
	$(BIN)/mypy

test: $(VENV)/.dev
	$(BIN)/python -m pytest -m "not slow"

check: lint types test

soak: $(VENV)/.dev
	$(BIN)/python -m pytest -m slow

bench: $(VENV)/.dev
	$(BIN)/python -m benchmarks.index_throughput
	$(BIN)/python -m benchmarks.rescan
	$(BIN)/python -m benchmarks.query_latency
	$(BIN)/python -m benchmarks.index_ladder
	$(BIN)/python -m benchmarks.duplicates_cost
	$(BIN)/python -m benchmarks.serve_load
	$(BIN)/python -m benchmarks.retrieval
	$(BIN)/python -m benchmarks.relevance_agreement
	$(BIN)/python -m benchmarks.minus
	$(BIN)/python -m benchmarks.install_size

clean:
	rm -rf $(VENV) $(DEMO)
