# Offhook's doors for people: each target does its own set-up and may be run again at any time.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
sum = $(shell cat $(1) | sha256sum | cut -c1-16)
# One stamp for what a run needs, one for what developing needs beside it.
STAMP := $(VENV)/.installed-$(call sum,requirements.lock pyproject.toml docker/llama-cpp/*)
DEV_STAMP := $(VENV)/.developing-$(call sum,requirements.lock tests/requirements.lock)

.PHONY: help setup demo test lint bench train test-training scores notices sbom lock

help: ## Say what can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(STAMP) ## Install what a run needs into .venv, and an Asterisk to try into the user's cache
	@$(BIN)/python -m pbx.testbed prepare

# llama.cpp compiles while the rest is fetched; neither waits for the other.
$(STAMP): requirements.lock pyproject.toml $(wildcard docker/llama-cpp/*)
	@echo "==> Looking for a compiler and Python ≥ 3.11"
	@bash docker/system-packages $(PYTHON)
	@echo "==> Making $(VENV)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "==> Installing the locked requirements; llama.cpp is compiled once"
	@docker/llama-cpp/wheel $(BIN)/python >$(VENV)/llama-cpp.wheel & compiling=$$!; \
	awk '/^[^ ]/ { ours = !/^llama-cpp-python==/ } ours' requirements.lock >$(VENV)/requirements.lock; \
	$(PIP) install --quiet --no-deps --require-hashes -r $(VENV)/requirements.lock; \
	echo "==> The other requirements are installed"; \
	wait $$compiling; \
	$(PIP) install --quiet --no-deps --force-reinstall "$$(<$(VENV)/llama-cpp.wheel)"
	@$(PIP) install --quiet --no-deps --editable .
	@rm -f $(VENV)/.installed-*
	@touch $@

$(DEV_STAMP): $(STAMP) tests/requirements.lock
	@echo "==> Installing what tests and checks need"
	@$(PIP) install --quiet --no-deps --require-hashes -r tests/requirements.lock
	@rm -f $(VENV)/.developing-*
	@touch $@

demo: setup ## Place one call to the test bed's talking persona and show it live
	@$(BIN)/offhook demo $(ARGS)

# Tests of the bed wait for people's voices most of the time, so three go side by side, each worker
# with a bed of its own; of a FreeSWITCH that answers already there is one.
BED_WORKERS ?= $(if $(OFFHOOK_TEST_FREESWITCH),0,3)
PYTEST := $(BIN)/python -m pytest --dist loadfile --durations 10
# Tests side by side on two cores wait for each other. Up to three that fail so are run once more,
# alone and for all to see; more than that are no accident.
alone = [ $$(grep -c ': true' .pytest_cache/v/cache/lastfailed) -le 3 ] && \
	echo "==> These failed beside others, and are run once more, alone" && \
	$(BIN)/python -m pytest -v -m $(1) --last-failed --last-failed-no-failures none
# Pure tests wait, too: for limits that run out, processes that start.
PURE_WORKERS ?= $(shell expr $$(nproc) + 1)

test: setup $(DEV_STAMP) ## Run every test (ARGS= goes to pytest)
	@bash docker/system-packages $(PYTHON) postgresql strace sipp baresip chromium || echo "==> Leaving their tests out"
ifdef ARGS
	@$(BIN)/python -m pytest $(ARGS)
else
	@$(PYTEST) -m pure -n $(PURE_WORKERS) --maxprocesses 5 || { [ $$? = 1 ] && $(call alone,pure); }
	@$(PYTEST) -m bed -n $(BED_WORKERS) || { [ $$? = 1 ] && $(call alone,bed); }
endif

lint: $(DEV_STAMP) ## Style, types and layering
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

bench: setup $(DEV_STAMP) ## Measure: turn latency, engines, media path, originates, ledger
	@$(BIN)/offhook bench $(ARGS)

.venv-train/.installed: $(STAMP)
	@test -x .venv-train/bin/python || $(PYTHON) -m venv .venv-train
	@echo "==> Installing what training needs (torch's CPU build is enough)"
	@.venv-train/bin/python -m pip install --disable-pip-version-check --quiet \
		"$$(<$(VENV)/llama-cpp.wheel)" --editable '.[train]'
	@touch $@

test-training: .venv-train/.installed ## A few steps of each training, as a smoke test
	@.venv-train/bin/python -m pytest tests/models/test_speech_training.py tests/models/test_llama_training.py \
		tests/models/test_turn_training.py tests/models/test_ears_training.py

train: .venv-train/.installed ## Train the starter models anew (about three hours on two cores)
	@.venv-train/bin/python -m models.training.voice --out models/starter
	@.venv-train/bin/python -m models.training.whisper --out models/starter/whisper --minutes 76 --bf16
	@.venv-train/bin/python -m models.training.llama --out models/starter/llama.gguf --minutes 68
	@.venv-train/bin/python -m models.training.personas --out pbx/testbed/sounds

scores: .venv-train/.installed ## Score the starter models on what training never saw
	@.venv-train/bin/python -m models.training.speech_score
	@.venv-train/bin/python -m models.training.llama_score models/starter/llama.gguf

notices: $(STAMP) ## Write docs/THIRD-PARTY.md: what is shipped, under which licences
	@$(BIN)/python docker/sbom.py notices > docs/THIRD-PARTY.md

sbom: $(STAMP) ## Write dist/offhook.cdx.json: the bill of materials, CycloneDX
	@mkdir -p dist
	@$(BIN)/python docker/sbom.py sbom > dist/offhook.cdx.json
	@echo "==> dist/offhook.cdx.json"

LOCK := uv pip compile --quiet --universal --generate-hashes --no-annotate --no-header
lock: ## Resolve pyproject.toml into the lock files (needs uv)
	@$(LOCK) pyproject.toml -o requirements.lock
	@$(LOCK) pyproject.toml --extra dev --constraint requirements.lock \
		$$(sed -nE 's/^([a-z0-9.-]+)==.*/--no-emit-package \1/p' requirements.lock) \
		-o tests/requirements.lock
	@$(LOCK) docker/llama-cpp/requirements.in -o docker/llama-cpp/requirements.lock
