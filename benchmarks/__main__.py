# SPDX-License-Identifier: AGPL-3.0-or-later
"""``python -m benchmarks [NAME ...] [--rounds N]``."""

from __future__ import annotations

import argparse
from importlib.util import find_spec

from benchmarks import fhe, inference, proofs, record, verification

ALL = {"inference": inference.measure, "proofs": proofs.measure, "verification": verification.measure}
if find_spec("tenseal") is not None:  # the extra `fhe`
    ALL["fhe"] = fhe.measure


def main() -> None:
    """Run what is named, or everything, and say where the results lie."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*ALL, []], help="which; all by default")
    parser.add_argument("--rounds", type=int, default=40)
    arguments = parser.parse_args()
    for name in arguments.names or ALL:
        path = record.write(name, ALL[name](arguments.rounds))
        print(f"{name}: {path.relative_to(path.parents[2])}")


if __name__ == "__main__":
    main()
