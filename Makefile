# Each target sets up what it needs: `make demo` and `make test` work on a fresh machine with Python 3.11+.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

.PHONY: demo test slow portable lint types check docs docs-next notebooks release matrix clean

demo: $(or $(wildcard $(VENV)/.installed),$(VENV)/.library)  ## a benchmark of tiny, then single shapes: tables, pictures, what to try next
	$(BIN)/python -m benchmarks.sr1 --model tiny
	$(BIN)/openshape-ood demo --folder results
	@echo "pictures of the benchmark: results/sr1-tiny-openshape-generated/overview.png"
	@echo "to have the command: . $(BIN)/activate; more: README.md, notebooks/01_quickstart.ipynb, openshape-ood --help"

test: $(VENV)/.installed  ## the default tests: offline, about five minutes on two cores
	PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest -n 2 --dist loadfile  # without bytecode, hundreds of processes compile anew

slow: $(VENV)/.installed  ## the slow tests too
	$(BIN)/python -m pytest -m "not network"

portable: $(VENV)/.installed  ## the default tests under settings of other processors and thread counts: an hour or more on two cores
	$(BIN)/python -m tests.portable

lint: $(VENV)/.installed
	! git grep --line-number --extended-regexp '^(<{7}|>{7}) '   # unresolved conflicts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.installed
	$(BIN)/mypy

check: lint types

docs: $(VENV)/.installed  ## the documentation in build/site; python -m http.server -d build/site shows it
	$(BIN)/python docs/prepare.py
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

docs-next: $(VENV)/.installed  ## the same by the successor of mkdocs-material, in build/site-next
	$(BIN)/python docs/prepare.py
	SITE_DIR=build/site-next $(BIN)/zensical build --strict --clean

notebooks: $(VENV)/.installed  ## run the notebooks and write their outputs
	$(BIN)/python -m notebooks.execute

release: $(VENV)/.installed  ## sdist and wheel in dist/, built and checked; nothing is uploaded
	$(BIN)/python -m tests.release

matrix: release  ## the wheel in fresh environments of Python 3.11 to 3.13 and of the lowest versions: 15 GB to download
	PATH="$(abspath $(BIN)):$$PATH" $(BIN)/python -m tests.matrix

clean:
	rm -rf $(VENV) build dist *.egg-info

# what README shows needs no more than the library and its plots; all else works on all that there is
$(VENV)/.library: EXTRA := plots
$(VENV)/.installed: EXTRA := dev
# one step: torch and torchvision have to come from the same build
$(VENV)/.library $(VENV)/.installed: setup.cfg pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; say which: make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --editable ".[$(EXTRA)]"
	touch $@
