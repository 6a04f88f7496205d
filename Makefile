# Everything that a developer runs. `make` alone lists it.
#
# PYTHON  the python3 that makes .venv (3.11 or newer); default: python3
# VENV    where it is made; default: .venv
# EMULATOR  the AWS of `make cluster`: moto, ministack or strict (tests/strict); default: moto
# ARGS   of `make storm`: --objects, --minutes, --seed, --keep FOLDER
# KEEP=1  makes `make demo` stay up at its end
# KUBEBUILDER_ASSETS  a folder with kube-apiserver, etcd and kubectl, instead of building them

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help setup assets lint types unit test cluster demo bench soak pairs storm promises crds docs sbom dashboards lock clean

help: ## list the targets
	@sed -nE 's/^([a-z]+):.*## (.*)/  make \1|\2/p' $(MAKEFILE_LIST) | column -t -s '|'

setup: $(STAMP) ## .venv with everything, as the lock file says

# Hashes are checked for all that comes from the index; the project itself is linked, and its build backend is in the lock.
# The lock is whole, and so nothing is resolved again (--no-deps): that would not know pyproject.toml's override.
$(STAMP): requirements-dev.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Python 3.11 or newer is needed, and $(PYTHON) is not: make setup PYTHON=/path/to/python3.11" >&2; exit 1; }
	@echo "== installing into $(VENV)"
	@$(PYTHON) -m venv $(VENV)
	@if command -v uv >/dev/null; then \
	  uv pip install --quiet --python $(BIN)/python --no-deps --require-hashes -r requirements-dev.lock; \
	  uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .; \
	else \
	  $(BIN)/pip install --quiet --no-deps --require-hashes -r requirements-dev.lock; \
	  $(BIN)/pip install --quiet --no-deps --no-build-isolation -e .; \
	fi
	@touch $@

assets: ## build kube-apiserver, etcd and kubectl where missing; the last line is their folder
	@$(PYTHON) -m tests.cluster.binaries

lint: setup ## ruff
	@echo "== ruff"
	@$(BIN)/ruff check .

types: setup ## mypy --strict
	@echo "== mypy"
	@$(BIN)/mypy

# The binaries come first and by themselves: pytest would hide ten minutes of progress.
# Three processes on two cores: the tests on real servers wait for most of their time.
unit: setup assets ## pytest, the real API server included
	@echo "== pytest"
	@$(BIN)/pytest --numprocesses 3 --dist loadgroup

test: lint types unit ## all checks
	@echo "== all checks passed"

cluster: setup ## an API server and an AWS emulator in the foreground, until Ctrl-C
	@EMULATOR=$(EMULATOR) $(BIN)/python -m tests.cluster

demo: setup ## the operator at work, step by step, in under a minute (KEEP=1 stays up)
	@KEEP=$(KEEP) $(BIN)/python -m tests.cluster.demo

soak: setup ## ten thousand simulations, on all cores
	@$(BIN)/python -m tests.soak

pairs: setup ## two things that go wrong, at every pair of points of every scenario
	@$(BIN)/python -m tests.soak --runs 0 --pairs

storm: setup assets ## two operators as processes under all that can go wrong at once, for three minutes (ARGS="--objects 1000")
	@$(BIN)/python -m tests.storm $(ARGS)

promises: setup ## write docs/reliability.md from the tests
	@$(BIN)/python -m tests.promises

bench: setup ## measure
	@$(BIN)/python -m tests.bench

crds: setup ## write manifests/crds and docs/reference from the models
	@$(BIN)/python -c 'import pathlib, reconcilers.crds as crds; \
	  [pathlib.Path("manifests/crds", name).write_text(text) for name, text in crds.files().items()]'
	@$(BIN)/python -c 'from tests.docs import reference; reference.write()'

docs: crds ## build the site into build/site
	@$(BIN)/python -W ignore -m mkdocs build --strict --quiet --config-file tests/docs/mkdocs.yml
	@echo build/site/index.html

sbom: setup ## what the image installs, as CycloneDX, into build/sbom.json
	@mkdir -p build
	@$(BIN)/cyclonedx-py requirements requirements.lock --pyproject pyproject.toml --output-reproducible --of JSON -o build/sbom.json
	@echo build/sbom.json

dashboards: setup ## write manifests/dashboards from tests/monitoring/dashboards.py
	@$(BIN)/python -c 'from tests.monitoring import dashboards; dashboards.write()'

# --no-header and our own first line: the files say nothing about the machine or the index that made them.
LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url \
        --no-emit-find-links
BUILD_NEEDS := $(PYTHON) -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["build-system"]["requires"])'
FIRST_LINE := \# Every version and hash that an install may use; written by `make lock` from pyproject.toml.

lock: ## write the lock files anew, with the newest versions that pyproject.toml allows
	@test -x $(BIN)/uv || { echo "make lock needs $(BIN)/uv: run make setup first" >&2; exit 1; }
	@dev=$$(mktemp) run=$$(mktemp); trap 'rm -f "$$dev" "$$run"' EXIT; \
	$(LOCK) pyproject.toml --extra dev > "$$dev"; \
	{ echo '$(FIRST_LINE)'; cat "$$dev"; } > requirements-dev.lock; \
	$(LOCK) pyproject.toml --constraint requirements-dev.lock > "$$run"; \
	{ echo '$(FIRST_LINE)'; cat "$$run"; } > requirements.lock; \
	$(BUILD_NEEDS) | $(LOCK) - --constraint requirements-dev.lock > "$$run"; \
	{ echo '$(FIRST_LINE)'; cat "$$run"; } > requirements-build.lock

clean: ## remove .venv and every cache in this folder
	@rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
