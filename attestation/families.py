# SPDX-License-Identifier: AGPL-3.0-or-later
"""Codes that several formats have in common, by the function that produces them; each takes the format's prefix."""

from __future__ import annotations


def members(prefix: str) -> dict[str, str]:
    """Codes of `contract.check_members` and of an absent challenge."""
    return {
        f"{prefix}.member-unknown": "a member that the format does not have",
        f"{prefix}.member-missing": "a required member is not there",
        f"{prefix}.member-empty": "a member without content",
        f"{prefix}.member-too-large": "a member larger than its limit",
        f"{prefix}.challenge-not-given": "the caller gave no challenge, so freshness was not looked at",
    }


def structure(prefix: str, what: str) -> dict[str, str]:
    """Codes of `wire.Reader`."""
    return {
        f"{prefix}-truncated": f"{what} ends before its content does",
        f"{prefix}-trailing": f"{what} has bytes after its end",
        f"{prefix}-malformed": f"{what} breaks its grammar or canonical form",
    }


def chain(prefix: str, what: str) -> dict[str, str]:
    """Codes of `pki.path.validate`."""
    return {
        f"{prefix}-untrusted": f"{what} leads to no anchor in the policy",
        f"{prefix}-no-anchors": f"the policy lists no anchor for {what}",
        f"{prefix}-anchor-unsupported": f"{what} leads to no readable anchor, and listed ones cannot be read",
        f"{prefix}-usage": f"{what} is for another use",
        f"{prefix}-chain-broken": f"the chain of {what} has a link that was not issued by the next",
        f"{prefix}-chain-critical-extension": f"the chain of {what} has an unknown critical extension",
        f"{prefix}-chain-expired": f"the chain of {what} has a certificate not valid at the given time",
        f"{prefix}-chain-key-weak": f"the chain of {what} has a key below RSA-2048 or P-256",
        f"{prefix}-chain-leaf-is-ca": f"{what} is itself a CA certificate",
        f"{prefix}-chain-not-ca": f"the chain of {what} has an issuer that may not issue, or too long a path",
        f"{prefix}-chain-signature-weak": f"the chain of {what} has a signature without SHA-2",
        f"{prefix}-chain-unsupported": f"the chain of {what} has something that cannot be read",
    }


def raw(prefix: str, what: str) -> dict[str, str]:
    """Codes of the files that a format's `read` takes."""
    return {
        f"{prefix}.raw-empty": f"{what}: a file without content",
        f"{prefix}.raw-too-large": f"{what}: a file beyond its limit",
        f"{prefix}.raw-malformed": f"{what}: a file in no form that is known",
    }


def envelope(prefix: str, what: str) -> dict[str, str]:
    """Codes of envelopes around a format's evidence, beside those of `raw`."""
    return {
        f"{prefix}.raw-truncated": f"{what}: an envelope that ends before its content does",
        f"{prefix}.raw-trailing": f"{what}: an envelope with bytes after its end",
    }


def revocation(prefix: str, what: str) -> dict[str, str]:
    """Codes of `pki.revocation`."""
    return {
        f"{prefix}-revoked": f"{what} is on its issuer's revocation list",
        f"{prefix}-crl-missing": f"there is no revocation list for {what}",
        f"{prefix}-crl-invalid": f"the revocation list for {what} is not its issuer's, or is a partial one",
        f"{prefix}-crl-expired": f"the revocation list for {what} is not current at the given time",
        f"{prefix}-crl-malformed": f"the revocation list for {what} is not one DER list in canonical form",
    }


def ocsp(prefix: str, what: str) -> dict[str, str]:
    """Codes of `pki.ocsp`."""
    return {
        f"{prefix}-ocsp-revoked": f"{what} is revoked, says its responder",
        f"{prefix}-ocsp-hold": f"{what} is on hold, says its responder",
        f"{prefix}-ocsp-unknown": f"{what} is unknown to its responder",
        f"{prefix}-ocsp-too-many": f"more OCSP responses that revoke {what} than are looked at",
        f"{prefix}-ocsp-missing": f"there is no OCSP response for {what}",
        f"{prefix}-ocsp-invalid": f"the OCSP response for {what} is signed by nobody who may",
        f"{prefix}-ocsp-expired": f"the OCSP response for {what} is not current at the given time",
    }
