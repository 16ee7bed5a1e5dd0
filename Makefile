# Everything runs from the virtual environment that `make install` builds out of requirements/dev.txt.

SHELL := /bin/sh
.SHELLFLAGS := -eu -c
MAKEFLAGS += --no-builtin-rules
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
COMPILE := $(BIN)/uv pip compile --quiet --universal --python $(BIN)/python --python-version 3.11 --no-sources \
	--generate-hashes --custom-compile-command 'make lock' $(if $(UPGRADE),--upgrade)

# The programs that the tests start; tools/debian.py provides those that are not on PATH.
DEBIAN_PACKAGES := apache2-utils buildah curl docker-registry git hey jq nginx prometheus prometheus-alertmanager \
	prometheus-pushgateway skopeo umoci

.PHONY: help install run test chart check format detection screens settings metrics fuzz bench proof lock clean

help: ## print this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-9s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

install: $(VENV)/installed-project.toml ## build .venv with everything that the other targets need

run: install ## serve a sample registry with a broken image; REGISTRY=URL serves that registry instead
	@exec $(if $(REGISTRY),$(BIN)/registry-integrity-exporter serve --registry '$(REGISTRY)',$(BIN)/python -m sample)

test: install ## run the tests, but for the long proofs; PYTEST_ARGS=... goes to pytest
	$(BIN)/python tools/debian.py $(DEBIAN_PACKAGES)
	$(BIN)/python -m pytest -n auto --dist loadfile -m 'not proof' $(PYTEST_ARGS)

check: install ## formatting, lint, types, layers, lock files
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python tools/check_lock.py

format: install ## format the code and apply the lint's safe repairs
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

detection: install ## write the table of docs/detection.md anew
	$(BIN)/python -m tests.integrity.detection

settings: install ## write the tables of docs/configuration.md and its JSON Schema anew
	$(BIN)/python -m tools.configuration

metrics: install ## write the table of docs/metrics.md anew
	$(BIN)/python -m tools.metrics

chart: install ## write the chart's copies, schema and README.md, and deploy/kubernetes anew
	$(BIN)/python -m tools.chart

screens: install ## write the screens of docs/verify.md, docs/deletion.md and docs/cronjob.md anew
	$(BIN)/python -m tests.verification.screens
	$(BIN)/python -m tests.deletion.screens
	$(BIN)/python -m tests.program.screens

fuzz: install ## fuzz the parsers; SECONDS=60 is for how long, each
	$(BIN)/python -m fuzz --seconds $(or $(SECONDS),60)

bench: install ## measure a cycle; BENCH_ARGS=... goes to the benchmark
	$(BIN)/python tools/debian.py $(DEBIAN_PACKAGES)
	$(BIN)/python -m bench $(BENCH_ARGS)

proof: install ## run the long proofs that `make test` leaves out
	$(BIN)/python tools/debian.py $(DEBIAN_PACKAGES)
	$(BIN)/python -m pytest -m proof $(PYTEST_ARGS)

lock: install ## bring requirements/*.txt in step with pyproject.toml; UPGRADE=1 takes the newest versions
	$(COMPILE) --output-file requirements/runtime.txt pyproject.toml
	$(COMPILE) --output-file requirements/dev.txt --constraint requirements/runtime.txt --group dev pyproject.toml
	$(COMPILE) --output-file requirements/build.txt --constraint requirements/dev.txt --group pyproject.toml:build
	$(BIN)/python tools/check_lock.py

clean: ## remove the virtual environment, unpacked packages, caches and build results
	rm -rf $(VENV) .debian .sample dist build .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Each marker is a copy of the file it was installed from. A checkout gives files new times without changing them, so
# the contents decide whether there is anything to do.
$(VENV)/installed-lock.txt: requirements/dev.txt
	@if cmp -s $< $@; then touch $@; exit 0; fi; \
	python=$$(sh tools/find-python.sh); \
	echo "Building $(VENV) with $$python"; \
	"$$python" -m venv --clear $(VENV); \
	$(PIP) install --quiet --require-hashes --requirement $<; \
	cp $< $@

$(VENV)/installed-project.toml: pyproject.toml $(VENV)/installed-lock.txt
	@if cmp -s $< $@; then touch $@; exit 0; fi; \
	$(PIP) install --quiet --no-deps --no-build-isolation --editable .; \
	cp $< $@
