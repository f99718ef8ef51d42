# Offhook's doors for people: each target does its own set-up and may be run again at any time.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV := .venv
# Offhook needs llama.cpp alone, without its image side: a third less to compile.
export CMAKE_ARGS ?= -DLLAVA_BUILD=OFF
BIN := $(VENV)/bin
LOCK_SUM := $(shell cat requirements.lock pyproject.toml | sha256sum | cut -c1-16)
STAMP := $(VENV)/.installed-$(LOCK_SUM)

.PHONY: help setup demo test lint bench train test-training scores lock

help: ## Say what can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(STAMP) ## Install everything into .venv, and the test bed's Asterisk into the user's cache
	@$(BIN)/python -m pbx.testbed prepare

$(STAMP): requirements.lock pyproject.toml
	@echo "==> Looking for a compiler and Python ≥ 3.11"
	@bash docker/system-packages $(PYTHON)
	@echo "==> Making $(VENV)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "==> Installing the locked requirements (llama.cpp is compiled once: several minutes)"
	@$(BIN)/python -m pip install --disable-pip-version-check --no-deps --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --disable-pip-version-check --quiet --no-deps --editable .
	@rm -f $(VENV)/.installed-*
	@touch $@

demo: setup ## Place one call to the test bed's talking persona and show it live
	@$(BIN)/offhook demo $(ARGS)

# Tests that listen to calls want the machine to themselves; these do not.
SIDE_BY_SIDE := tests/api tests/voice_loop

test: setup ## Run every test (ARGS= goes to pytest)
	@bash docker/system-packages $(PYTHON) postgresql || echo "==> Leaving the tests on PostgreSQL out"
ifdef ARGS
	@$(BIN)/python -m pytest $(ARGS)
else
	@$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile $(SIDE_BY_SIDE)
	@$(BIN)/python -m pytest $(SIDE_BY_SIDE:%=--ignore=%)
endif

lint: $(STAMP) ## Style, types and layering
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

bench: setup ## Measure: turn latency, engines, media path, originates, ledger
	@$(BIN)/offhook bench $(ARGS)

.venv-train/.installed: pyproject.toml
	@bash docker/system-packages $(PYTHON)
	@test -x .venv-train/bin/python || $(PYTHON) -m venv .venv-train
	@echo "==> Installing what training needs (torch's CPU build is enough)"
	@.venv-train/bin/python -m pip install --disable-pip-version-check --quiet --editable '.[train]'
	@touch $@

test-training: .venv-train/.installed ## A few steps of each training, as a smoke test
	@.venv-train/bin/python -m pytest tests/models/test_speech_training.py tests/models/test_llama_training.py

train: .venv-train/.installed ## Train the starter models anew (about three hours on two cores)
	@.venv-train/bin/python -m models.training.voice --out models/starter
	@.venv-train/bin/python -m models.training.whisper --out models/starter/whisper --minutes 76 --bf16
	@.venv-train/bin/python -m models.training.llama --out models/starter/llama.gguf --minutes 68
	@.venv-train/bin/python -m models.training.personas --out pbx/testbed/sounds

scores: .venv-train/.installed ## Score the starter models on what training never saw
	@.venv-train/bin/python -m models.training.speech_score
	@.venv-train/bin/python -m models.training.llama_score models/starter/llama.gguf

lock: ## Resolve pyproject.toml into requirements.lock (needs uv)
	@uv pip compile --quiet --universal --generate-hashes --no-annotate --no-header \
		--extra dev pyproject.toml -o requirements.lock
