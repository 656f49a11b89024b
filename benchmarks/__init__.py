# SPDX-License-Identifier: AGPL-3.0-or-later
"""Measurements. ``make bench`` runs all of them; each writes ``results/NAME.json``.

A result names the machine, the versions, the command and the spread. Ratios are between things that were measured
interleaved, in one run. Documents quote figures from these files alone.

============  ==================================================================================
module        measures
============  ==================================================================================
inference     integer circuits against their float models, both in onnxruntime
verification  an affidavit: making it, verifying it, with and without recomputation
proofs        proving and verifying: time by phase, bytes, bits, memory
timing        interleaved timing: rounds, medians, spread
record        what a result file holds
============  ==================================================================================
"""
