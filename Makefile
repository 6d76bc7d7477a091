# Everything from nothing but python3 (3.11 or newer) and make.
#   make soak    set up, soak both frameworks side by side for three minutes, end in a verdict and a report
#   make test    set up, then lint, types, import contracts and tests
#   make test-lowest   the unit tests once more, with the lowest versions that pyproject.toml allows
# On a machine without a GPU that is not meant to hold CUDA, give pip PyTorch's own index of CPU builds, which the
# PyTorch site names under "Get Started":   make soak PIP_ARGS="--extra-index-url=<that index>"

PYTHON ?= python3
VENV ?= .venv
PIP_ARGS ?=
BIN := $(VENV)/bin
CONFIG ?= configs/quick.toml
LOWEST := $(VENV)-lowest
# What configs/matrix.toml needs beside the frameworks; the tests run it too.
MATRIX := soak/environments/matrix

# Tests start hundreds of processes, and each would compile what it imports.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help soak matrix serving claims test test-slow test-lowest torture torture-slice lint check-format clean

help:
	@sed -n '2,4p' Makefile | sed 's/^# *//'

$(VENV)/bin/pip:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "soak needs Python 3.11 or newer")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: $(VENV)/bin/pip pyproject.toml constraints.txt
	$(BIN)/pip install --quiet $(PIP_ARGS) --constraint constraints.txt --editable ".[torch,tensorflow,video,service,clients,diagnose]"
	@touch $@

$(VENV)/.installed-test: $(VENV)/.installed $(MATRIX).txt $(MATRIX).no-deps.txt
	$(BIN)/pip install --quiet $(PIP_ARGS) --constraint constraints.txt --editable ".[test]" -r $(MATRIX).txt
	$(BIN)/pip install --quiet $(PIP_ARGS) --no-deps -r $(MATRIX).no-deps.txt
	@touch $@

soak: $(VENV)/.installed
	$(BIN)/soak run $(CONFIG)

# Every execution of both frameworks, for more than a minute each, and the page of what came of it. A leak, or an
# execution that could not run, is told there; a config that is wrong is not. Those of TF.js have an environment of their
# own, of Node.js, which is built once; whoever has something to say of the machine: NOTES='--note "It was in use."'
NOTES ?=
matrix: $(VENV)/.installed-test
	$(BIN)/soak env tfjs
	$(BIN)/soak run configs/matrix.toml; test $$? -ne 2
	$(BIN)/python -m benchmarks.matrix $(NOTES) "$$(ls -td runs/matrix-* | head -1)" > docs/matrix.md.new
	mv docs/matrix.md.new docs/matrix.md

lint: $(VENV)/.installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# Servers of models under load, three minutes each, and the page of what came of it. Those with an environment of their
# own, of gigabytes, need it first: soak env kserve triton torchserve. Java 17 and nginx are programs of the system.
serving: $(VENV)/.installed-test
	$(BIN)/soak run configs/serving.toml; test $$? -ne 2
	$(BIN)/python -m benchmarks.serving $(NOTES) "$$(ls -td runs/serving-* | head -1)" > docs/serving.md.new
	mv docs/serving.md.new docs/serving.md

# Claims about the frameworks, each by an experiment, some 25 minutes on two cores, and the page of what came of it. Those
# of cards run where there are any; records made elsewhere are named: CLAIMS_RUNS="FOLDER…".
CLAIMS_RUNS ?=
claims: $(VENV)/.installed-test
	$(BIN)/soak claims configs/claims.toml configs/claims-gpu.toml $(CLAIMS_RUNS) --run --format markdown > docs/claims.md.new
	mv docs/claims.md.new docs/claims.md

# Six at a time: most of a test that soaks is waiting. A file stays together, as its tests share a server, and those that
# soak come first, in the order of their folders, so that none of them is left alone at the end.
test: lint
	$(BIN)/python -m pytest -m "not slow" -n 6 --dist loadfile --no-loadscope-reorder

test-slow: $(VENV)/.installed-test
	$(BIN)/python -m pytest -m slow

# Kills, damage and hostile input by the thousand; goes on where a call before ended. See docs/reliability.md.
TORTURE ?= all --seconds 3600
torture: $(VENV)/.installed
	$(BIN)/python -m tests.torture $(TORTURE)

torture-slice: $(VENV)/.installed
	$(BIN)/python -m tests.torture slice --jobs 2 --seconds 240 --out $$(mktemp -d)

$(LOWEST)/.installed: pyproject.toml tests/lowest.py
	$(PYTHON) -m venv --clear $(LOWEST)
	$(PYTHON) tests/lowest.py > $(LOWEST)/pins.txt
	$(LOWEST)/bin/pip install --quiet $(PIP_ARGS) --requirement $(LOWEST)/pins.txt
	$(LOWEST)/bin/pip install --quiet $(PIP_ARGS) --no-deps --editable .
	@touch $@

# Without frameworks, and without what no other package has a part in: censuses of Python's objects, and long draws of
# traces, which `make test` judges. What old versions of other packages warn of is theirs.
ALONE := $(foreach name,census compounds censuses_of_a_member unprobed alarm tail,--ignore tests/unit/test_$(name).py)
test-lowest: $(LOWEST)/.installed
	$(LOWEST)/bin/python -m pytest tests/unit tests/conformance -m "not framework" -n 4 -o filterwarnings=default $(ALONE)

clean:
	rm -rf $(VENV) $(LOWEST) runs torture .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
