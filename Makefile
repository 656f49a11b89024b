# SPDX-License-Identifier: AGPL-3.0-or-later
# The one entry point; CI runs the same commands.  GNU make 3.81 or later, Python 3.11 to 3.14.

SHELL := bash
.DEFAULT_GOAL := help
unexport PYTHONDONTWRITEBYTECODE
unexport PYTHONPATH
unexport PYTHONHOME

BIN := .venv/bin
ROOMS := $(wildcard affidavit attestation circuits coordinator fhe node prover verifier)
CODE := $(ROOMS) $(wildcard tests scripts benchmarks models)
ARGS ?=

.PHONY: help setup setup-dev demo demo-private test check fuzz fuzz-evidence flips mutations vectors bench bench-peers lock docs-check clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

setup: ## build .venv with the affidavit command in it (instant when done before)
	@scripts/setup.sh

setup-dev: ## the same, with what the tests need
	@scripts/setup.sh dev

demo: setup ## one real inference with its affidavit, verified, then broken on purpose
	@$(BIN)/affidavit demo $(ARGS)

demo-private: setup ## the same with an encrypted input: the node computes and never sees it
	@$(BIN)/affidavit demo --private $(ARGS)

test: setup-dev ## every test; ARGS='-k name' for some
	@$(BIN)/python -m pytest $(ARGS)

check: setup-dev ## lint, format, types, import arrows
	@$(BIN)/ruff check $(CODE)
	@$(BIN)/ruff format --check $(CODE)
	@$(BIN)/mypy $(CODE)
	@$(BIN)/python -m pytest tests/test_arrows.py

fuzz: setup-dev ## hostile bytes against every parser; SECONDS_EACH=60 for each target
	@$(BIN)/python scripts/fuzz.py --seconds $(or $(SECONDS_EACH),30) $(ARGS)

fuzz-evidence: setup-dev ## a million hostile inputs for every parser of evidence; resumable, ARGS='-k snp' for some
	@$(BIN)/python scripts/fuzz_evidence.py $(ARGS)

flips: setup-dev ## every single bit of every real piece of evidence, flipped; half an hour
	@HYPOTHESIS_PROFILE=fuzz $(BIN)/python -m pytest -m exhaustive --timeout=0 $(ARGS)
	@HYPOTHESIS_PROFILE=fuzz $(BIN)/python -m pytest --timeout=0 tests/attestation/snp/test_flipped_bits.py

mutations: setup-dev ## a million mutated proofs against the verifier; resumable, ARGS=--count=N for fewer
	@$(BIN)/python scripts/mutations.py $(ARGS)

vectors: setup-dev ## regenerate the test vectors and compare them with the committed ones; ARGS=--write to keep
	@$(BIN)/python scripts/vectors.py $(ARGS)

bench: setup-dev ## measure; writes benchmarks/results/*.json
	@$(BIN)/python -m benchmarks $(ARGS)

bench-peers: setup-dev ## measure EZKL beside this project, in .venv-peers (15 min, 12 GiB, 6 GB of disk)
	@$(BIN)/python -m benchmarks peers $(ARGS)

docs-check: setup-dev ## run the commands in README.md and check the links between pages
	@$(BIN)/python -m pytest -m docs $(ARGS)

lock: ## regenerate requirements/*.txt (needs uv); UPGRADE=1 for newer versions
	@scripts/lock.sh

clean: ## remove .venv and every cache
	rm -rf .venv .venv-peers build dist demo-output fuzz-output .mypy_cache .ruff_cache .pytest_cache .hypothesis .schemathesis
	find $(CODE) -name __pycache__ -type d -prune -exec rm -rf {} +
