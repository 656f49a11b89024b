# SPDX-License-Identifier: AGPL-3.0-or-later
"""`tpm2-quote@v1`: a TPM 2.0 quote, the key that signed it, and the boot log behind it.

::

    signature = Sign_AK( TPMS_ATTEST )         AK restricted: it signs only what its own TPM made
    TPMS_ATTEST.extraData = challenge          the 32-byte context digest of the inference
    TPMS_ATTEST.pcrDigest = H( PCR values )    values in `pcrs`, replayed from `event_log`
    AK certificate: attestation CA saw the TPM of the EK certificate activate a credential for the AK's Name
    EK certificate: the TPM's maker says that the EK lives in a genuine TPM
    or: the policy lists the AK itself, enrolled before

=================  ======================================================================
`appraisal`        `appraise`; the only entry a verifier needs
`trust`            `Tpm2Trust`: anchors and reference values
`raw`              files of such evidence; `gotpm`, `protobuf`, `dumps`, `keylime`, `serialized`: of others
`ak` `quote`       checks on key, challenge, signature; `counters` on clock and counts
`registers`        checks on PCRs; `boot_log` on the event log, `ima_list` on the IMA list
`identity`         checks on certificates; `endorsements`: links and CRLs from collateral
`logs`             event logs and IMA lists among the collateral; `pieces`, `plain`: a quote's other files
`vendors`          CAs of TPM makers and platforms, pinned; trusted only where a policy says so
`attest` `public` `signature` `pcrs` `algorithms`  wire formats
`certificates` `binding` `ek`                      X.509
`credential` `registrar` `authority`               credential activation and AK certificates
`presence` `device` `templates` `producer`         producing; `device` needs tpm2-pytss
`software` `provisioning` `boot`                   a software TPM of one's own
=================  ======================================================================

Does not say what reference values should be. Verifying needs only the
standard library and `cryptography`. Specification: docs/spec/tpm2-quote-v1.md.
"""

from attestation.contract import Format
from attestation.tpm2.ak import load_ak
from attestation.tpm2.appraisal import MEMBERS, TYPE, appraise
from attestation.tpm2.pieces import complete
from attestation.tpm2.raw import read
from attestation.tpm2.trust import Tpm2Trust

FORMAT = Format(
    TYPE,
    "tpm2",
    MEMBERS,
    appraise,
    read,
    Tpm2Trust,
    signed=lambda members: members["attest"],
    clock_keys=lambda members: frozenset({load_ak(members).fingerprint}),
    complete=complete,
)

__all__ = ["FORMAT", "MEMBERS", "TYPE", "Tpm2Trust", "appraise", "read"]
