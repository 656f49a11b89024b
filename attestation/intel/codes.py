# SPDX-License-Identifier: AGPL-3.0-or-later
"""The codes that TDX and SGX have in common, each with its format's prefix."""

from __future__ import annotations

from attestation import families


def codes(prefix: str) -> dict[str, str]:
    """Codes of everything in this folder."""
    return {
        **families.members(prefix),
        **families.raw(prefix, "a quote"),
        **families.structure(f"{prefix}.quote", "the quote"),
        f"{prefix}.version-unsupported": "a quote version that is not supported for this TEE",
        f"{prefix}.tee-unsupported": "a quote of another TEE",
        f"{prefix}.key-type-unsupported": "an attestation key that is not ECDSA P-256",
        f"{prefix}.qe-vendor-unsupported": "a quoting enclave that is not Intel's",
        f"{prefix}.body-unsupported": "a quote body type that is not supported",
        f"{prefix}.certification-unsupported": "the quote does not carry its PCK certificate chain",
        f"{prefix}.pck-chain-malformed": "the PCK certificate chain is not PEM in canonical form",
        f"{prefix}.pck-malformed": "a certificate of the PCK chain is not DER in canonical form",
        f"{prefix}.pck-unsupported": "a certificate of the PCK chain cannot be read",
        f"{prefix}.pck-extension-malformed": "the PCK certificate's SGX extension is absent or not as specified",
        **families.chain(f"{prefix}.pck", "the PCK certificate"),
        **_revocation(f"{prefix}.pck", "the PCK certificate"),
        **_revocation(f"{prefix}.pck-ca", "the PCK CA"),
        f"{prefix}.signature-invalid": "the quote's signature does not verify",
        f"{prefix}.attestation-key-unbound": "the quoting enclave's report does not name the attestation key",
        f"{prefix}.qe-signature-invalid": "the PCK's signature over the quoting enclave's report does not verify",
        **_documents(f"{prefix}.tcb-info", "TCB information for the platform"),
        **_documents(f"{prefix}.qe-identity", "the identity of the quoting enclave"),
        **families.chain(f"{prefix}.tcb-signer", "the TCB signing certificate"),
        **_revocation(f"{prefix}.tcb-signer", "the TCB signing certificate"),
        f"{prefix}.qe-mismatch": "the quoting enclave is not the one of its identity",
        f"{prefix}.tcb-unknown": "without collateral nobody knows whether the platform is up to date",
        f"{prefix}.tcb-not-supported": "platform, module or quoting enclave is below every TCB level",
        f"{prefix}.tcb-up-to-date": "the platform is up to date and the policy lists other statuses only",
        f"{prefix}.tcb-sw-hardening-needed": "the workload must be hardened and the policy does not tolerate that",
        f"{prefix}.tcb-configuration-needed": "the platform must be configured and the policy does not tolerate that",
        f"{prefix}.tcb-configuration-and-sw-hardening-needed": "both, and the policy does not tolerate that",
        f"{prefix}.tcb-out-of-date": "the platform is out of date and the policy does not tolerate that",
        f"{prefix}.tcb-out-of-date-configuration-needed": "out of date and to be configured, not tolerated",
        f"{prefix}.tcb-revoked": "the platform's TCB is revoked",
        f"{prefix}.debug": "a debugger may look inside",
        f"{prefix}.challenge-mismatch": "the quote answers another challenge",
        f"{prefix}.library-absent": "dcap-qvl, which gives the second opinion, is not installed",
        f"{prefix}.second-opinion-refuses": "dcap-qvl refuses the quote",
        f"{prefix}.second-opinion-differs": "dcap-qvl comes to another TCB status",
        f"{prefix}.second-opinion-not-asked": "dcap-qvl was not asked",
        f"{prefix}.reference-mismatch": "a measurement has none of the reference values",
        f"{prefix}.reference-none": "the policy gives no reference values",
        f"{prefix}.trust-invalid": "the policy's trust settings mean nothing",
    }


def _revocation(prefix: str, what: str) -> dict[str, str]:
    """Lists that cannot be read are left out of the collateral, and so are missing."""
    found = families.revocation(prefix, what)
    del found[f"{prefix}-crl-malformed"]
    return found


def _documents(prefix: str, what: str) -> dict[str, str]:
    return {
        f"{prefix}-missing": f"there is no {what}",
        f"{prefix}-signature-invalid": f"{what} was signed by nobody at hand",
        f"{prefix}-unsupported": f"{what} is of a form that is not understood",
        f"{prefix}-expired": f"{what} is not current at the given time",
        f"{prefix}-superseded": f"{what} is older than the policy wants",
    }
