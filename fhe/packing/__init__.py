# SPDX-License-Identifier: AGPL-3.0-or-later
"""How values lie in ciphertexts, one method per file.

=================  =========================================================================================
coefficient        one affine layer, one sample, BFV: a dot product is one coefficient of a product; no keys
columns            batches, BFV and CKKS: one ciphertext per feature; a layer is an integer matrix product
diagonals          depth on one sample, CKKS: rotated diagonals, baby and giant steps; windows for a first convolution
=================  =========================================================================================

Each file has a `design` (pure: what the client must know and what it costs) and a class with `evaluate` (limbs to
limbs). An evaluation is a pure function of ciphertexts, keys, network and preset.
"""
