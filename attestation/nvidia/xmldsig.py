# SPDX-License-Identifier: AGPL-3.0-or-later
"""XML signatures, by the library signxml; nothing else imports it.

The caller has checked the document's grammar (`swid`) and brings the certificate, so that the library neither chooses
a key nor resolves anything.
"""

from __future__ import annotations

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm

from attestation.errors import RejectedError, UnsupportedError

PREFIX = "evidence.nvidia.rim"


def signed_bytes(data: bytes, signer: x509.Certificate) -> bytes:
    """The bytes, canonicalised and without the signature, that `signer`'s key signed in `data`.

    Whether the certificate is valid at any time is the caller's question. Raises `RejectedError` with
    `evidence.nvidia.rim-signature-invalid`, `UnsupportedError` with `evidence.nvidia.rim-library-absent`.
    """
    try:
        # Not everybody has it, and the verifying core never needs it for anything else.
        from signxml.algorithms import (  # type: ignore[import-not-found,unused-ignore]
            DigestAlgorithm,
            SignatureMethod,
        )
        from signxml.exceptions import SignXMLException  # type: ignore[import-not-found,unused-ignore]
        from signxml.verifier import (  # type: ignore[import-not-found,unused-ignore]
            SignatureConfiguration,
            XMLVerifier,
        )
    except ImportError:
        raise UnsupportedError(
            f"{PREFIX}-library-absent",
            "signxml is not installed, so that no RIM can be verified",
            remedy="pip install 'affidavit[nvidia]'",
        ) from None
    settings = SignatureConfiguration(
        require_x509=True,
        location="./",
        expect_references=1,
        signature_methods=frozenset({SignatureMethod.ECDSA_SHA384, SignatureMethod.ECDSA_SHA512}),
        digest_algorithms=frozenset({DigestAlgorithm.SHA384, DigestAlgorithm.SHA512}),
        verification_time=signer.not_valid_before_utc,
    )
    try:
        # The grammar is narrower than the schema, and the schema's parser is one parser more.
        result = XMLVerifier().verify(data, x509_cert=signer, expect_config=settings, validate_schema=False)
    except (SignXMLException, UnsupportedAlgorithm) as error:
        raise RejectedError(f"{PREFIX}-signature-invalid", f"XML signature: {str(error)[:120]}") from None
    except MemoryError:  # nobody's fault but this machine's
        raise
    except Exception as error:  # noqa: BLE001
        # lxml has a tree of errors of its own (`C14NError` for a relative namespace, say), and signxml lets it and
        # base64's and ValueErrors through: whatever these libraries make of hostile bytes, it is no valid signature.
        raise RejectedError(f"{PREFIX}-signature-invalid", f"XML signature: {type(error).__name__}") from None
    if isinstance(result, list):
        raise RejectedError(f"{PREFIX}-signature-invalid", "XML signature: not one reference")
    return bytes(result.signed_data)
