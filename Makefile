# make demo            synthesize videos, train, draw where the network looks   (VIDEOS=folder: your own)
# make test            the test suite: all of it on TensorFlow, the backend tests on JAX and torch
# make test-slow       tests that start processes, train for long or run the examples and tutorials
# make soak            faults caused many times, tests/soak/README.md; under an hour on two cores
# make test-serving    the servers of examples/deploy, KServe in an environment of its own
# make lint            ruff, pyright, import-linter
# make docs            the pages and the API reference as a site, build/docs/index.html
# make set-up          installs at once what the tests, lint and the documentation need
# Each sets up .venv by itself; PYTHON chooses the interpreter (3.11 to 3.13).

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
VIDEOS ?=
# Two processes: building graphs is work for one core.
PYTEST ?= -n 2 --dist loadfile --durations 15 --durations-min 1
export TF_CPP_MIN_LOG_LEVEL ?= 3
export PIP_DISABLE_PIP_VERSION_CHECK ?= 1

.PHONY: demo test test-tensorflow test-jax test-torch test-slow soak test-serving lint docs set-up clean

demo: $(VENV)/installed
	$(BIN)/python examples/demo.py --output demo $(if $(VIDEOS),--videos "$(VIDEOS)")

# TensorFlow last, so that the run ends with the whole suite's summary.
test: test-jax test-torch test-tensorflow

test-jax: $(VENV)/installed-test
	KERAS_BACKEND=jax $(BIN)/python -m pytest $(PYTEST) -m "backends and not slow"

test-torch: $(VENV)/installed-test
	KERAS_BACKEND=torch $(BIN)/python -m pytest $(PYTEST) -m "backends and not slow"

test-tensorflow: $(VENV)/installed-test
	KERAS_BACKEND=tensorflow $(BIN)/python -m pytest $(PYTEST) -m "not slow"

# Few and long ones: whichever process is free takes the next, of whatever file.
test-slow: $(VENV)/installed-test
	KERAS_BACKEND=tensorflow $(BIN)/python -m pytest $(PYTEST) --dist worksteal -m slow

soak: $(VENV)/installed-test
	KERAS_BACKEND=tensorflow $(BIN)/python tests/soak/soak.py

test-serving: $(VENV)/installed-test build/serving/installed
	SERVING_PYTHON=$(CURDIR)/build/serving/bin/python KERAS_BACKEND=tensorflow \
	  $(BIN)/python -m pytest tests/examples/test_serving.py

lint: $(VENV)/installed-lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/lint-imports

docs: $(VENV)/installed-docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --config-file .github/mkdocs.yml
	@echo 'The pages are in build/docs/index.html'

clean:
	rm -rf $(VENV) build demo

set-up: | $(BIN)/python
	$(BIN)/python -m pip install --quiet --editable ".[docs,lint,test]"
	@touch $(foreach part,docs lint test,$(VENV)/installed-$(part))

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' \
	  || { echo "keras-acl needs Python 3.11 to 3.13; choose one: make PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -m venv $(VENV) \
	  || { rm -rf $(VENV); echo "Python's venv module is incomplete: apt-get install python3-venv"; exit 1; }

# Stamps: set-up runs again when the metadata changes.
$(VENV)/installed: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --editable .
	@touch $@

$(VENV)/installed-test: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --editable ".[test]"
	@touch $@

$(VENV)/installed-lint: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --editable ".[lint]"
	@touch $@

$(VENV)/installed-docs: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --editable ".[docs]"
	@touch $@

SERVING := examples/deploy/serving

build/serving/installed: $(wildcard $(SERVING)/requirements*.txt) | $(BIN)/python
	$(BIN)/python -m venv build/serving
	build/serving/bin/python -m pip install --quiet \
	  --requirement $(SERVING)/requirements-litserve.txt --requirement $(SERVING)/requirements-kserve.txt
	@touch $@
