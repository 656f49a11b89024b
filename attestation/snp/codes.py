# SPDX-License-Identifier: AGPL-3.0-or-later
"""What each code of this format means, one line each. Codes are never renamed."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from attestation import families

_REVOCATION = {
    **families.revocation("evidence.snp.vek", "the VCEK or VLEK"),
    **families.revocation("evidence.snp.issuer", "the ASK or ASVK"),
}
"""Less the malformed ones: lists that cannot be read may be anybody's, and are left alone."""

CODES: Mapping[str, str] = MappingProxyType(
    {
        **families.members("evidence.snp"),
        **families.raw("evidence.snp", "SEV-SNP evidence"),
        **families.envelope("evidence.snp", "SEV-SNP evidence"),
        **families.structure("evidence.snp.report", "the report"),
        "evidence.snp.report-version-unsupported": "a report of a version that is not known",
        "evidence.snp.product-unknown": "a processor, or a certificate for one, that is not known to have SEV-SNP",
        "evidence.snp.certificates-malformed": "the certificates are not a VEK and its issuers in their one encoding",
        "evidence.snp.certificates-unsupported": "one of the certificates cannot be read",
        "evidence.snp.trust-invalid": "the policy's trust in SEV-SNP evidence contradicts itself",
        "evidence.snp.challenge-mismatch": "the report data are not the challenge",
        **families.chain("evidence.snp.vek", "the VCEK or VLEK"),
        "evidence.snp.vek-list-unpublished": "there is no revocation list for VCEKs and VLEKs: AMD publishes none",
        "evidence.snp.vek-missing": "there is no VCEK or VLEK certificate",
        "evidence.snp.vek-unsupported": "a VCEK or VLEK certificate without the extensions and key of AMD's",
        **{code: text for code, text in _REVOCATION.items() if not code.endswith("-crl-malformed")},
        "evidence.snp.signature-unsupported": "the report is signed with an unknown algorithm",
        "evidence.snp.signature-range": "the report's signature is no pair of P-384 numbers",
        "evidence.snp.signature-invalid": "the report's signature does not verify under the certified key",
        "evidence.snp.signing-key-mismatch": "the report is not signed by the kind of key that is given and accepted",
        "evidence.snp.product-mismatch": "report and certificate are of different products, or of an unwanted one",
        "evidence.snp.chip-mismatch": "the certificate is for another chip",
        "evidence.snp.chip-unnamed": "neither report nor certificate name the chip",
        "evidence.snp.chip-denied": "the chip is on the policy's list of denied ones",
        "evidence.snp.chip-unexpected": "the chip is not on the policy's list",
        "evidence.snp.tcb-mismatch": "the certificate is for another TCB version than the one reported",
        "evidence.snp.tcb-order": "the report commits to, or reports, a TCB above the one that runs",
        "evidence.snp.tcb-too-old": "the reported or committed TCB is below the policy's minimum",
        "evidence.snp.tcb-out-of-date": "a bulletin of AMD's that is known is not fulfilled, and the policy wants all",
        "evidence.snp.tcb-up-to-date": "every known bulletin is fulfilled, and the policy does not list `UpToDate`",
        "evidence.snp.advisory-denied": "a bulletin that the policy insists on is not fulfilled",
        "evidence.snp.launch-tcb-too-old": "the guest was launched under a TCB below the policy's minimum",
        "evidence.snp.firmware-too-old": "the firmware's version is below the policy's minimum",
        "evidence.snp.provisional": "the running firmware is not committed, and can be rolled back",
        "evidence.snp.mitigation-missing": "a mitigation that the policy asks for was not in force, at launch or now",
        "evidence.snp.debug-enabled": "the host may debug the guest",
        "evidence.snp.policy-unexpected": "the guest policy has a bit that it should not have, or lacks one",
        "evidence.snp.platform-unexpected": "the platform has a feature that it should not have, or lacks one",
        "evidence.snp.vmpl-unexpected": "the report was asked for at another privilege level",
        "evidence.snp.abi-too-old": "the guest policy allows for an older firmware ABI than the policy wants",
        "evidence.snp.guest-svn-too-old": "the guest's security version is below the policy's minimum",
        "evidence.snp.measurement-no-reference": "no reference value for the launch measurement is given",
        "evidence.snp.measurement-unexpected": "the launch measurement is not among the reference values",
        "evidence.snp.host-data-unexpected": "the host data are not among the reference values",
        "evidence.snp.id-key-unexpected": "the id key's digest is not among the reference values",
        "evidence.snp.author-key-unexpected": "the author key's digest is not among the reference values",
        "evidence.snp.report-id-unexpected": "the report id is not among the reference values",
        "evidence.snp.family-id-unexpected": "the family id is not among the reference values",
        "evidence.snp.image-id-unexpected": "the image id is not among the reference values",
    }
)
