# shellcheck shell=bash
# SPDX-License-Identifier: AGPL-3.0-or-later
# Sourced by setup.sh: choose the Python to build .venv with.

# usable PYTHON: does it run, is it 3.11 to 3.14, and can it make a virtual environment with pip?
usable() {
  "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))' 2>/dev/null &&
    "$1" -c 'import ensurepip, venv' 2>/dev/null
}

# find_python: print the interpreter, or say on stderr what is missing.
find_python() {
  local candidate seen=""
  if [ -n "${PYTHON:-}" ]; then
    usable "$PYTHON" || {
      echo "setup: PYTHON=$PYTHON is not a Python 3.11 to 3.14 with venv and ensurepip" >&2
      return 1
    }
    command -v "$PYTHON"
    return 0
  fi
  for candidate in python3 python3.14 python3.13 python3.12 python3.11 python; do
    command -v "$candidate" >/dev/null || continue
    if usable "$candidate"; then
      command -v "$candidate"
      return 0
    fi
    seen="$seen $("$candidate" -c 'import platform; print(platform.python_version())' 2>/dev/null || true)"
  done
  # Debian and Ubuntu split venv off the interpreter.
  if command -v apt-get >/dev/null && python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    if [ "$(id -u)" = 0 ]; then
      echo "      installing Debian's python3-venv" >&2
      { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends \
        python3-venv; } >/dev/null 2>&1 || true
      if usable python3; then
        command -v python3
        return 0
      fi
    fi
    echo "setup: this Python cannot make virtual environments; run: sudo apt-get install python3-venv" >&2
    return 1
  fi
  echo "setup: Python 3.11 to 3.14 is needed, found:${seen:- none}. Install one, or name it: make setup PYTHON=..." >&2
  return 1
}
