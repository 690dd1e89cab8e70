# What a person types: `make demo`, `make test`, `make check`. Needs Python 3.11 to 3.14 and make.
ifeq ($(OS),Windows_NT)
PYTHON ?= python
BIN := .venv/Scripts
EXE := .exe
else
PYTHON ?= python3
BIN := .venv/bin
endif
VENV := .venv
DEMO := demo-library
# Each core runs tests of its own, so that NumPy, FAISS and PyTorch need one thread each.
PYTEST := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest

.PHONY: help demo test check lint types package dist soak bench clean

help:
	@echo "make demo    index the example photos and ask three questions"
	@echo "make test    run the fast tests"
	@echo "make check   check lint, format, types and packages, then run the fast tests (as CI does)"
	@echo "make dist    build the wheel and the sdist into dist/"
	@echo "make soak    run the long proofs quoted in docs/reliability.md (hours)"
	@echo "make bench   run the measurements quoted in docs/performance.md"
	@echo "make clean   delete .venv and the demo library"

# A stamp for each set of packages: a second run touches nothing and needs no network.
$(BIN)/python$(EXE):
	$(PYTHON) -m venv $(VENV)

$(VENV)/.base: setup.cfg pyproject.toml | $(BIN)/python$(EXE)
	@echo "installing into $(VENV) (about 400 MB, once)"
	@PYTHONWARNINGS=ignore $(BIN)/python -m pip install --quiet --disable-pip-version-check -e .
	@touch $@

$(VENV)/.dev: requirements-dev.txt setup.cfg pyproject.toml | $(BIN)/python$(EXE)
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

# Built by the installed setuptools, so that nothing is downloaded.
BUILD := $(BIN)/python -m build --no-isolation

package: $(VENV)/.dev
	@folder=$$(mktemp -d) && trap 'rm -rf "$$folder"' EXIT && \
	{ $(BUILD) --outdir "$$folder" . > "$$folder/log" 2>&1 || { cat "$$folder/log"; exit 1; }; } && \
	$(BIN)/check-wheel-contents "$$folder"/*.whl && \
	$(BIN)/python -m twine check --strict "$$folder"/*.whl "$$folder"/*.tar.gz

dist: $(VENV)/.dev
	rm -rf dist
	$(BUILD) --outdir dist .
	$(BIN)/check-wheel-contents dist/*.whl
	$(BIN)/python -m twine check --strict dist/*

# The tests of one file run one after the other: they share what is slow to make. By default the files
# with the fewest tests would come last, among them some that take a minute.
test: $(VENV)/.dev
	$(PYTEST) -m "not slow" -n auto --dist loadfile --no-loadscope-reorder

check: lint types package test

soak: $(VENV)/.dev
	$(BIN)/python -m pytest -m slow

bench: $(VENV)/.dev
	$(BIN)/python -m benchmarks.index_throughput
	$(BIN)/python -m benchmarks.quality
	$(BIN)/python -m benchmarks.rescan
	$(BIN)/python -m benchmarks.query_latency
	$(BIN)/python -m benchmarks.index_ladder
	$(BIN)/python -m benchmarks.duplicates_cost
	$(BIN)/python -m benchmarks.serve_load
	$(BIN)/python -m benchmarks.retrieval
	$(BIN)/python -m benchmarks.everyday
	$(BIN)/python -m benchmarks.relevance_agreement
	$(BIN)/python -m benchmarks.minus
	$(BIN)/python -m benchmarks.concepts
	$(BIN)/python -m benchmarks.typed_words
	$(BIN)/python -m benchmarks.words
	$(BIN)/python -m benchmarks.install_size

clean:
	rm -rf $(VENV) $(DEMO) build dist pixquery.egg-info
