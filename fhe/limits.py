# SPDX-License-Identifier: AGPL-3.0-or-later
"""Caps of the fhe room, in one place. Anything beyond is malformed."""

from __future__ import annotations

MAX_CIPHERTEXTS = 4096
"""Ciphertexts in one bundle."""

MAX_BUNDLE_BYTES = 1 << 29
"""Bytes of a bundle of ciphertexts."""

MAX_KEY_BYTES = 1 << 28
"""Bytes of a bundle of public and evaluation keys."""

MAX_GALOIS_KEYS = 64
"""Galois keys in one bundle."""

MAX_POLYNOMIALS = 2
"""Polynomials of a ciphertext on the wire: products are relinearised before they leave."""

MAX_FEATURES = 4096
"""Elements per sample of any tensor between the layers of an encrypted network."""

MAX_MATRIX = 1 << 24
"""Entries of one folded layer."""

MAX_SEGMENTS = 16
"""Linear layers of an encrypted network."""

MAX_INTERFACE_BYTES = 1 << 21
"""Bytes of the JSON that tells a client how to encode and decode."""

MAX_SAMPLES = 1 << 16
"""Samples of one request."""
