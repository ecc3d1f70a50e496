# `make repro` runs the study, `make test` the tests, `make check` the linters; each sets up .venv.
PYTHON ?= python3
BIN := .venv/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: repro test check audit clean

repro: .venv/ready
	afterprune run
	@echo "The report: $(CURDIR)/reports/README.md"

test: .venv/ready
	pytest

check: .venv/ready
	ruff check
	ruff format --check
	mypy
	pip check

# Ask PyPI for known vulnerabilities of what is installed. Needs the network; fails without.
audit: .venv/ready
	pip install --quiet --disable-pip-version-check --editable ".[audit]"
	pip freeze --exclude-editable | pip-audit --strict --no-deps --disable-pip --requirement /dev/stdin

# CONSTRAINTS=constraints.txt installs the versions of the recorded study.
.venv/ready: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check $(if $(CONSTRAINTS),--constraint $(CONSTRAINTS)) --editable ".[test]"
	touch $@

clean:
	rm -rf .venv .state build/aside build/made build/network.ok build/params.ok build/rewind.json build/starts.json models data/prepared
