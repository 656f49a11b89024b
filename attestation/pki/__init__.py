# SPDX-License-Identifier: AGPL-3.0-or-later
"""Certificates of devices and platforms: strict reading, path validation, revocation. Shared by the formats.

==============  ==========================================================================
`certificate`   exact DER in, one certificate or a concatenation
`reordered`     certificates whose names are not sorted as DER wants, and nothing else
`path`          RFC 5280 path validation to anchors that the policy lists
`revocation`    CRLs: fresh, of the right issuer, signed; a missing one is never a pass
`ocsp`          OCSP responses, likewise
`effort`        a limit of what collateral may cost
==============  ==========================================================================

Every function takes a `prefix` for its codes, such as `evidence.snp.vcek`. Pure: `cryptography` and nothing else.
"""
