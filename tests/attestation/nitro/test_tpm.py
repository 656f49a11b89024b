# SPDX-License-Identifier: AGPL-3.0-or-later
"""Documents of an EC2 instance's NitroTPM: the same structure, registers under another name and of another meaning."""

from __future__ import annotations

import cbor2
import pytest

from attestation.errors import MalformedError, OperationalError
from attestation.nitro import NitroTrust, appraise
from attestation.nitro.document import parse_document
from tests.attestation.nitro.paper import AT, CHALLENGE, authority, fields, paper, seal
from verifier import errors
from verifier.fields import Fields
from verifier.trust import nitro

PCRS = {index: bytes((index + 1,)) * 48 if index < 8 else bytes(48) for index in range(24)}


def tpm_fields(**changes):
    found = {**fields(), "module_id": "i-0123456789abcdef0-tpm0000000000000000", "nitrotpm_pcrs": PCRS, **changes}
    return {name: value for name, value in found.items() if name != "pcrs" or "pcrs" in changes}


def judge(document, **settings):
    trust = NitroTrust(roots=(authority()[0].der,), **settings)
    return appraise({"document": document}, challenge=CHALLENGE, at=AT, trust=trust)


TPM = seal(cbor2.dumps(tpm_fields()))


def test_accepted_where_the_policy_says_so():
    said = judge(TPM, kind="tpm", reference_pcrs={4: frozenset({PCRS[4]}), 0: frozenset({PCRS[0], bytes(48)})})
    assert said.passed
    assert said.claims["document_kind"] == "tpm" and len(said.claims["pcrs"]) == 24
    assert not {"debug", "measurement"} & said.claims.keys()  # nobody said anything of that
    assert not any(check.id == "evidence.nitro.debug" for check in said.checks)
    other = judge(TPM, kind="tpm", reference_pcrs={4: frozenset({PCRS[5]})})
    assert {check.code for check in other.failed} == {"evidence.nitro.pcr-unexpected"}


@pytest.mark.parametrize(("document", "kind"), [(TPM, "enclave"), (paper(), "tpm")])
def test_neither_stands_in_for_the_other(document, kind):
    said = judge(document, kind=kind)
    assert not said.passed and not said.failed
    assert "evidence.nitro.kind-not-accepted" in {check.code for check in said.missing}


@pytest.mark.parametrize(
    "changes",
    [{"pcrs": PCRS}, {"nitrotpm_pcrs": {}}, {"nitrotpm_pcrs": {0: b"short"}}, {"nitrotpm_pcrs": {"0": bytes(48)}}],
)
def test_one_set_of_registers(changes):
    with pytest.raises(MalformedError) as caught:
        parse_document(cbor2.dumps(tpm_fields(**changes)))
    assert caught.value.code == "evidence.nitro.document-malformed"


def test_policies():
    table = Fields({"kind": "tpm", "pcrs": {"0": ["00" * 48]}}, "evidence.nitro", "policy.malformed")
    assert nitro.read(table) == NitroTrust(kind="tpm", reference_pcrs={0: frozenset({bytes(48)})})
    for wrong in ({"kind": "vm"}, {"kind": "enclave", "pcrs": {"0": ["00" * 48]}}):
        with pytest.raises(errors.MalformedError):
            nitro.read(Fields(wrong, "evidence.nitro", "policy.malformed"))
    with pytest.raises(OperationalError):
        NitroTrust(kind="vm")  # type: ignore[arg-type]
