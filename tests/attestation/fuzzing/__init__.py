# SPDX-License-Identifier: AGPL-3.0-or-later
"""Hostile inputs against everything that reads evidence; a case is a function of parser, seed and number.

=============  ==================================================================
`target`       a parser under test: its inputs to mutate, and what may come of one
`mutations`    mutants of one string of bytes
`evidence`     mutants of evidence: members and collateral, whole pieces exchanged
`documents`    mutants of JSON by its structure
`corpus`       evidence of paper devices, made once and kept with the state
`parsers`      parsers that stand on their own
`tokens`       parsers of signed results, CBOR and JSON
`readers`      `read` of every format
`appraisals`   `appraise` of every format
`catalogue`    all of them, by name
`cases`        running one case: outcome, processor time, memory
=============  ==================================================================

`scripts/fuzz_evidence.py` runs millions; `tests/attestation/test_fuzz_runner.py` runs a small dose.
"""
