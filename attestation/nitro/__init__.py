# SPDX-License-Identifier: AGPL-3.0-or-later
"""`nitro-document@v1`: an AWS Nitro Enclaves attestation document.

::

    signature = ECDSA-P384-SHA384_leaf( "Signature1", {alg: ES384}, payload )
    payload   = module, time, PCRs, leaf and bundle, public key, user data, nonce
    leaf <- instance <- zone <- region <- AWS Nitro root G1 (pinned)

===========  ======================================================================
`appraisal`  `appraise`; the only entry a verifier needs
`trust`      `NitroTrust`: roots, reference PCRs, time limits
`raw`        the files in which others give such documents
`document`   wire formats of the signed structure and the document; `cbor` below it
`chain`      certificates and revocation; `roots` is AWS's root
===========  ======================================================================

Does not know what a PCR value means: reference values come from whoever builds the enclave image. Verifying needs
the standard library and `cryptography`. Specification: docs/spec/nitro-document-v1.md.
"""

from attestation.contract import Format
from attestation.nitro.appraisal import MEMBERS, TYPE, appraise
from attestation.nitro.raw import read
from attestation.nitro.trust import NitroTrust

FORMAT = Format(TYPE, "nitro", MEMBERS, appraise, read, NitroTrust)

__all__ = ["FORMAT", "MEMBERS", "TYPE", "NitroTrust", "appraise", "read"]
