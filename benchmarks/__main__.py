# SPDX-License-Identifier: AGPL-3.0-or-later
"""``python -m benchmarks [NAME ...] [--rounds N] [--only WORK ...]``."""

from __future__ import annotations

import argparse
import json
from importlib.util import find_spec

from benchmarks import fhe, inference, peers, proofs, record, verification

ALL = {
    "inference": inference.measure,
    "proofs": proofs.measure,
    "verification": verification.measure,
    "peers": peers.measure,
}
BY_NAME_ONLY = ("peers",)
"""Takes long, and installs somebody else's program."""
if find_spec("tenseal") is not None:  # the extra `fhe`
    ALL["fhe"] = fhe.measure


def main() -> None:
    """Run what is named, or everything but peers, and say where the results lie."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*ALL, []], help="which; all but peers by default")
    parser.add_argument("--rounds", type=int, default=40, help="at most; slow work takes fewer")
    parser.add_argument(
        "--only", action="append", default=[], metavar="WORK", help="that work or model alone; printed, not written"
    )
    arguments = parser.parse_args()
    for name in arguments.names or [name for name in ALL if name not in BY_NAME_ONLY]:
        before = record.machine()
        measured = ALL[name](arguments.rounds, tuple(arguments.only))
        if arguments.only:
            print(json.dumps(measured, indent=1, sort_keys=True))
        else:
            path = record.write(name, before, measured)
            print(f"{name}: {path.relative_to(path.parents[2])}")


if __name__ == "__main__":
    main()
