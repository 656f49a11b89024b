# SPDX-License-Identifier: AGPL-3.0-or-later
"""Writing ``policy@v1`` files, with comments, for people who then read and edit them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from verifier.policy import FORMAT
from verifier.profiles import BULLETIN_STATUSES, PROFILES, TCB_STATUSES, Demands


def _pem(certificate: bytes) -> str:
    text = x509.load_der_x509_certificate(certificate).public_bytes(Encoding.PEM).decode().strip()
    return f'"""\n{text}\n"""'


def _list(items: Iterable[str]) -> str:
    return f"[{', '.join(items)}]"


def _hex(values: Iterable[bytes]) -> str:
    return _list(f'"{value.hex()}"' for value in values)


def write_policy(
    *,
    name: str,
    assurance: Sequence[str],
    accept: Sequence[str] = (),
    simulated: bool = False,
    nonce: bytes | None = None,
    input_commitment: bytes | None = None,
    circuits: Sequence[bytes] = (),
    commitments: Mapping[bytes, bytes] | None = None,
    nodes: Sequence[bytes] = (),
    recheckers: Sequence[bytes] = (),
    ek_roots: Sequence[bytes] = (),
    ak_issuers: Sequence[bytes] = (),
    pcrs: Mapping[int, bytes] | None = None,
    profile: str | None = None,
) -> bytes:
    """A policy file that :func:`verifier.parse_policy` reads.

    Args:
        name: for people: letters, digits, spaces and hyphens.
        assurance: the layers that are demanded.
        accept: accepted evidence types.
        simulated: whether simulated evidence counts; makes it a development policy.
        nonce, input_commitment: what was asked, where the file is about one request.
        circuits: digests of allowed circuits.
        commitments: to the weights of some of them, by circuit digest.
        nodes, recheckers: Ed25519 keys.
        ek_roots, ak_issuers: certificates (DER) of TPM makers and of attestation CAs.
        pcrs: the SHA-256 PCR values that the machine must have booted with, by index.
        profile: one of :data:`verifier.profiles.PROFILES`, whose demands are then written out; by default development
            for simulated evidence, else production.
    """
    lines = [
        f'format = "{FORMAT}"',
        f'name = "{name}"',
        f'profile = "{profile or ("development" if simulated else "production")}"',
        "",
        "[require] # layers of assurance: signed, attested, rechecked, proved, private",
        f"assurance = {_quoted(assurance)}",
    ]
    if nonce is not None or input_commitment is not None:
        lines += ["", "[request] # what was asked"]
        lines += [f'nonce = "{nonce.hex()}"'] if nonce is not None else []
        lines += [f'input = "{input_commitment.hex()}"'] if input_commitment is not None else []
    if circuits:
        lines += ["", "[models] # digests of the circuits that may answer", f"allowed = {_hex(circuits)}"]
    if commitments:
        lines += ["", "[models.commitments] # to their weights, for proofs made with --committed"]
        lines += [f'"{circuit.hex()}" = "{root.hex()}"' for circuit, root in sorted(commitments.items())]
    if nodes or recheckers:
        lines += ["", "[keys] # Ed25519"]
        lines += ["# only these nodes may answer", f"nodes = {_hex(nodes)}"] if nodes else []
        lines += ["# whose rechecks count", f"recheckers = {_hex(recheckers)}"] if recheckers else []
    if accept or simulated:
        lines += ["", "[evidence]"]
        lines += [f"accept = {_quoted(accept)}"] if accept else []
    if simulated:
        lines += [
            "# Simulated evidence proves nothing; only a development policy may take it.",
            "unsafe_accept_simulated = true",
        ]
    if ek_roots or ak_issuers or pcrs:
        lines += ["", "[evidence.tpm2]"]
        lines += ["# makers of TPMs", f"ek_roots = {_list(map(_pem, ek_roots))}"] if ek_roots else []
        lines += ["# attestation CAs", f"ak_issuers = {_list(map(_pem, ak_issuers))}"] if ak_issuers else []
    if pcrs:
        values = ", ".join(f"{index} = {_hex([value])}" for index, value in sorted(pcrs.items()))
        lines += ["# what the machine must have booted with (SHA-256)", f"pcrs = {{ {values} }}"]
    if profile is not None:
        lines += _appraisal(PROFILES[profile])
    return ("\n".join(lines) + "\n").encode()


def _appraisal(demands: Demands) -> list[str]:
    """The table ``[appraisal]`` with every key that it can have."""
    statuses = _quoted(name for name in TCB_STATUSES if name in demands.tcb_statuses)
    bulletins = _quoted(name for name in BULLETIN_STATUSES if name in demands.bulletin_statuses)
    age = demands.max_collateral_age_days
    return [
        "",
        "[appraisal] # what is demanded of each piece of evidence; these are the profile's own values",
        "# a challenge must have been given and met; false: freshness may stay open, which lowers the score",
        f"freshness = {_bool(demands.freshness)}",
        "# a current revocation list is needed; false: a missing one stays open (revoked is refused anyway)",
        f"revocation = {_bool(demands.revocation)}",
        "# tolerated states of the trusted computing base; all but UpToDate make the result a warning",
        f"tcb_statuses = {statuses}",
        "# the same where no vendor signs a state, and AMD's security bulletins give it",
        f"bulletin_statuses = {bulletins}",
        "# how long ago collateral may have been issued; without the key its own expiry is the only bound",
        f"max_collateral_age_days = {age}" if age is not None else "# max_collateral_age_days = 30",
        "# of the appraisal's integrity score, 0 to 1000",
        f"minimum_score_permille = {demands.minimum_score}",
        "# whether a machine that its operator may look into is tolerated, as a warning",
        f"debug = {_bool(demands.debug)}",
    ]


def _bool(value: bool) -> str:
    return "true" if value else "false"


def _quoted(texts: Iterable[str]) -> str:
    return _list(f'"{text}"' for text in texts)
