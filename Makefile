# `make repro` runs the study, `make test` the tests; both set up .venv first.
PYTHON ?= python3
BIN := .venv/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: repro test check clean

repro: .venv/ready
	dvc repro
	@echo "The report: $(CURDIR)/reports/README.md"

test: .venv/ready
	pytest

check: .venv/ready
	ruff check
	ruff format --check
	mypy

.venv/ready: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --editable ".[test]"
	touch $@

clean:
	rm -rf .venv .state build models data/prepared
