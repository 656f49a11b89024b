# shellcheck shell=bash
# SPDX-License-Identifier: AGPL-3.0-or-later
# Sourced by setup.sh: the software TPM (swtpm) and the Python binding compiled against libtss2-dev.
# Uses say, fail, install, done_before, mark_done, key_of, venv, log from there.

TPM_HOW="apt-get install swtpm libtss2-dev gcc pkg-config python3-dev"

# tpm_ready: is everything there that compiling the binding and running swtpm need?
tpm_ready() {
  command -v swtpm >/dev/null && command -v pkg-config >/dev/null && command -v cc >/dev/null &&
    pkg-config --exists tss2-esys tss2-mu tss2-rc tss2-tctildr &&
    [ -f "$("$venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("include"))')/Python.h" ]
}

install_tpm_packages() {
  # libtss2-dev pulls the library for swtpm's socket; python3-dev serves Debian's own interpreter only.
  { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends \
    swtpm libtss2-dev gcc libc6-dev pkg-config python3-dev; } >>"$log" 2>&1
}

set_up_tpm() {
  local want=$1 key
  key=$(key_of requirements/tpm.txt requirements/tpm-build.txt)
  if [ "$want" = no ] || { done_before tpm "$key" && command -v swtpm >/dev/null; }; then return 0; fi
  if ! tpm_ready && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null && ! done_before no-tpm "$key"; then
    say "installing the software TPM (Debian packages swtpm, libtss2-dev)"
    install_tpm_packages || true
  fi
  if tpm_ready; then
    say "compiling the TPM binding (about 30 s)"
    if (install requirements/tpm-build.txt --only-binary :all: &&
      install requirements/tpm.txt --no-deps --no-build-isolation --no-binary tpm2-pytss); then
      mark_done tpm "$key"
      return 0
    fi
  fi
  if [ "$want" = require ]; then fail "the software TPM could not be set up; needed: $TPM_HOW (details: $log)"; fi
  # Said once; apt is not tried at every call.  `make clean` or installing the packages starts over.
  if ! done_before no-tpm "$key"; then
    say "no software TPM: evidence will be 'simulated'. For the real thing, as root: $TPM_HOW; then make setup"
    mark_done no-tpm "$key"
  fi
}
