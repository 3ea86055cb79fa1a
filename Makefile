# make demo    a Kafka cluster, a run, its summary: the first command to try
# make test    lint, types, layers, unit, contract and integration tests: what CI calls
# make truth   what is measured beside what is known: the table in docs/measurement.md, about half an hour
# make bench   speed against Kafka's own tools and confluent-kafka, as ratios
# make bench-tuning  what the tuner's answers are worth, by simulated studies: the table in docs/tuning.md
# make lint    only ruff, mypy, the layers and what is written twice
# make clean   what the above made, and clusters that killed runs left; results stay

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin

# Arguments for the demo: make demo ARGS="--provider local"
ARGS   ?=

.PHONY: help demo test truth bench bench-tuning lint clean

help:
	@sed -n 's/^# \(make .*\)/\1/p' Makefile

demo: $(VENV)/installed
	@$(BIN)/loadlab demo $(ARGS)

test: $(VENV)/installed-dev
	@.ci/test

truth: $(VENV)/installed-dev
	@.ci/provide
	@$(BIN)/python -m pytest tests/truth -p no:cacheprovider $(ARGS)

bench: $(VENV)/installed-dev
	@$(BIN)/python -m pytest tests/benchmarks --ignore=tests/benchmarks/tuning -p no:cacheprovider -s $(ARGS)

bench-tuning: $(VENV)/installed-dev
	@$(BIN)/python -m pytest tests/benchmarks/tuning -p no:cacheprovider -s -rs $(ARGS)

lint: $(VENV)/installed-dev
	@.ci/lint

clean:
	@if [ -x $(BIN)/loadlab ]; then $(BIN)/loadlab cluster clean || true; fi
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .benchmarks .hypothesis
	find loadlab tests -name __pycache__ -type d -prune -exec rm -rf {} +

# A stamp newer than pyproject.toml means that nothing has to be installed.
$(VENV)/installed: pyproject.toml
	@PYTHON="$(PYTHON)" .ci/make-venv $(VENV)
	@echo "installing loadlab into $(VENV)"
	@.ci/install $(VENV) .
	@touch $@

$(VENV)/installed-dev: pyproject.toml
	@PYTHON="$(PYTHON)" .ci/make-venv $(VENV)
	@echo "installing loadlab and what its tests need into $(VENV)"
	@.ci/install $(VENV) '.[dev,java]'
	@touch $(VENV)/installed $@
