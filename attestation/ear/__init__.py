# SPDX-License-Identifier: AGPL-3.0-or-later
"""EAT attestation results (EAR, draft-ietf-rats-ear): what a verifier found, for relying parties that believe it.

::

    Ear  --claims.to_json, to_cbor-->  claims set  --tokens.encode_jwt, encode_cwt (sign)-->  token
    token + key + time  --reading.verify_ear-->  Ear

===========  ==========================================================================
`tiers`      trustworthiness claims and the four tiers (draft-ietf-rats-ar4si)
`claims`     the value, and its claims sets in both dialects
`keys`       one algorithm per key: ES256, ES384, EdDSA
`tokens`     JWT and CWT
`reading`    foreign results, checked
===========  ==========================================================================

Specification: docs/spec/ear-v1.md. Pure; imports the standard library, `cryptography` and `cbor2`.
"""
