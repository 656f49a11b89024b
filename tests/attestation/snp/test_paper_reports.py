# SPDX-License-Identifier: AGPL-3.0-or-later
"""Certificates, revocation, windows and reference values, on paper: each check shown to be the one that catches."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from cryptography import x509

from attestation.collateral import Collateral, Item
from attestation.errors import OperationalError, UnsupportedError
from attestation.snp import SnpTrust, appraise
from attestation.snp.products import PRODUCTS, from_cpuid, from_name
from attestation.snp.tcb import Tcb
from tests.attestation.snp.paper import (
    AT,
    DAY,
    END,
    HWID,
    START,
    TCB,
    ark,
    ask,
    ca,
    chip_key,
    crl,
    crls,
    der,
    ia5,
    judge,
    report,
    rsa_key,
    trust,
    vek,
)
from tests.attestation.snp.real import codes

SECOND = timedelta(seconds=1)


@pytest.mark.parametrize("product", ["Milan", "Genoa", "Turin"])
@pytest.mark.parametrize("version", [2, 3, 5])
def test_honest_paper_passes(product, version):
    changes = {"version": version, "mitigations": (0x3F, 0x3F) if version == 5 else None}
    if version == 2:
        changes["cpuid"] = None
    appraisal = judge(report(product, **changes), vek(product), challenge=bytes(range(64)))
    assert appraisal.passed, codes(appraisal)
    assert appraisal.claims["product"] == product and appraisal.expires == END


def test_certificates_may_bring_their_issuers():
    for chain in ((ask(),), (ask(), ark()), (ark(),)):
        assert judge(report(), vek(), *chain).passed
    assert judge(report(signing_key="vlek"), vek(kind="vlek"), ask(kind="vlek"), ark()).passed


@pytest.mark.parametrize(
    "chain",
    [
        (ask(), ask()),
        (ark(), ask()),
        (ask(), ark(), ark()),
        (ask("Genoa"),),
        (ca("ARK-Milan", end=END + DAY),),
        (ask(), ca("ARK-Milan", end=END + DAY)),
    ],
)
def test_certificates_out_of_place(chain):
    assert codes(judge(report(), vek(), *chain)) == {"evidence.snp.vek-chain-broken"}


def test_another_manufacturer():
    """An attacker's own key, under the attacker's own certificates with AMD's names."""
    mine = rsa_key("attacker")
    root = ca("ARK-Milan")
    assert judge(report(), vek(), ask(), root).passed
    forged = vek(signer="attacker")
    assert mine.key_size == 2048
    assert codes(judge(report(), forged)) == {"evidence.snp.vek-chain-broken"}
    key = chip_key("attacker")
    assert codes(judge(report(key=key))) == {"evidence.snp.signature-invalid"}
    appraisal = judge(report(key=key), vek(key=key), roots=SnpTrust().roots, intermediates=SnpTrust().intermediates)
    assert codes(appraisal) == {"evidence.snp.vek-chain-broken"}
    appraisal = judge(report(key=key), vek(key=key), ask(), ark(), roots=SnpTrust().roots)
    assert codes(appraisal) == {"evidence.snp.vek-chain-broken"}


def test_a_key_that_signs_for_another_purpose():
    as_vlek = vek(kind="vlek", issuer="SEV-Milan")
    assert codes(judge(report(signing_key="vlek"), as_vlek)) == {"evidence.snp.vek-usage"}
    assert codes(judge(report(), vek(issuer="SEV-VLEK-Milan"))) == {"evidence.snp.vek-usage"}
    assert codes(judge(report(), vek(issuer="SEV-Genoa"))) == {"evidence.snp.vek-usage"}
    assert codes(judge(report(signing_key="none"))) == {"evidence.snp.signing-key-mismatch"}
    assert codes(judge(report(signing_key="vlek"))) == {"evidence.snp.signing-key-mismatch"}
    assert codes(judge(report(), vek(issuer="ARK-Milan"))) == {"evidence.snp.vek-usage"}


def test_keys_and_extensions_that_amd_does_not_make():
    unusable = [
        vek(key=chip_key("small", "p256")),
        vek(extensions={"2": None}),
        vek(extensions={"2": b"\x0c\x05Milan"}),
        vek(extensions={"2": ia5("Mi\nlan")}),
        vek(extensions={"2": b"\x16\x05Mil\xe4n"}),
        vek(extensions={"2": b"\x16\x04Milan"}),
        vek(extensions={"2": b"\x16\x00"}),
        vek(extensions={"3.8": b"\x02\x02\x01\x00"}),
        vek(extensions={"3.8": b"\x02\x02\x00\x01"}),
        vek(extensions={"3.8": b"\x02\x01\x80"}),
        vek(extensions={"3.8": b"\x02\x01\x18\x00"}),
        vek(extensions={"3.8": b"\x04\x01\x18"}),
        vek(extensions={"3.8": b"\x02\x03\x00\x00\x18"}),
        vek(extensions={"3.8": None}),
        vek(extensions={"4": None}),
        vek(extensions={"4": HWID[:63]}),
        vek(extensions={"4": b"\x05\x40" + HWID}),
        vek(extensions={"4": b"\x04\x40" + HWID + b"\0"}),
        vek("Turin", extensions={"4": HWID}),
        vek(kind="vlek", extensions={"5": None}),
    ]
    for certificate in unusable:
        appraisal = judge(report(), certificate)
        assert not appraisal.passed and codes(appraisal) == {"evidence.snp.vek-unsupported"}
    assert codes(judge(report(), vek(extensions={"2": ia5("Rome-B0")}))) == {"evidence.snp.product-unknown"}
    assert judge(report(), vek(extensions={"4": b"\x04\x40" + HWID})).passed  # as the specification has it


def test_product_chip_and_tcb():
    assert codes(judge(report("Genoa"), vek("Milan"))) == {"evidence.snp.product-mismatch"}
    assert codes(judge(report(chip_id=bytes(63) + b"\1"))) == {"evidence.snp.chip-mismatch"}
    assert codes(judge(report("Turin", chip_id=HWID), vek("Turin"))) == {"evidence.snp.chip-mismatch"}
    assert judge(report(chip_id=bytes(64))).passed  # masked by the host; the key is still that chip's
    for index in range(8):
        lower = bytearray(TCB["Milan"])
        lower[index] ^= 1
        expected = {"evidence.snp.tcb-mismatch"}
        assert codes(judge(report(reported_tcb=bytes(lower), current_tcb=b"\xff" * 8))) == expected
    with pytest.raises(UnsupportedError) as caught:
        judge(report(cpuid=(0x17, 0x31, 0)))
    assert caught.value.code == "evidence.snp.product-unknown"


def test_products_by_family_and_name():
    lines = {
        (0x19, 0): "Milan",
        (0x19, 0x11): "Genoa",
        (0x19, 0xA0): "Genoa",
        (0x1A, 2): "Turin",
        (0x1A, 0x11): "Turin",
    }
    for (family, model), name in lines.items():
        assert from_cpuid(family, model).name == name
    for name in ("Bergamo", "Siena-A1", "Genoa-B2"):
        assert from_name(name).name == "Genoa"
    for family, model in ((0x19, 0x20), (0x1A, 0x50), (0x1B, 0)):
        with pytest.raises(UnsupportedError):
            from_cpuid(family, model)


def test_order_of_tcb_versions():
    milan = TCB["Milan"]
    low = bytes([4, 0, 0, 0, 0, 0, 23, 219])
    high = bytes([4, 0, 0, 0, 0, 0, 25, 219])
    assert codes(judge(report(committed_tcb=high))) == {"evidence.snp.tcb-order"}
    assert codes(judge(report(current_tcb=low))) == {"evidence.snp.tcb-order"}
    assert judge(report(current_tcb=high, committed_tcb=low, launch_tcb=high)).passed
    # Turin's first octet is the FMC, not the boot loader.
    product = PRODUCTS["Turin"]
    assert Tcb(TCB["Turin"], product).below({"fmc": 2}) == ["fmc 1 < 2"]
    assert Tcb(milan, PRODUCTS["Milan"]).below({"bootloader": 4, "microcode": 219}) == []
    assert str(Tcb(milan, PRODUCTS["Milan"])) == "bootloader 4, tee 0, snp 24, microcode 219"


REFERENCES = [
    ({"measurements": frozenset({b"x" * 48})}, "measurement-unexpected"),
    ({"host_data": frozenset({b"x" * 32})}, "host-data-unexpected"),
    ({"id_key_digests": frozenset({b"x" * 48})}, "id-key-unexpected"),
    ({"author_key_digests": frozenset({bytes(48)})}, "author-key-unexpected"),
    ({"report_ids": frozenset({b"x" * 32})}, "report-id-unexpected"),
    ({"family_ids": frozenset({b"x" * 16})}, "family-id-unexpected"),
    ({"image_ids": frozenset({b"x" * 16})}, "image-id-unexpected"),
    ({"chip_ids": frozenset({bytes(64)})}, "chip-unexpected"),
    ({"denied_chip_ids": frozenset({HWID})}, "chip-denied"),
    ({"chip_ids": frozenset({HWID}), "denied_chip_ids": frozenset({HWID})}, "chip-denied"),
    ({"products": frozenset({"Genoa"})}, "product-mismatch"),
    ({"signing_keys": frozenset({"vlek"})}, "signing-key-mismatch"),
    ({"vmpls": frozenset({1, 2})}, "vmpl-unexpected"),
    ({"minimum_guest_svn": 3}, "guest-svn-too-old"),
    ({"minimum_abi": (1, 0)}, "abi-too-old"),
    ({"minimum_firmware": (1, 55, 30)}, "firmware-too-old"),
    ({"minimum_tcb": {"Milan": {"microcode": 220}}}, "tcb-too-old"),
    ({"minimum_launch_tcb": {"Milan": {"snp": 25}}}, "launch-tcb-too-old"),
    ({"required_policy": frozenset({"single_socket"})}, "policy-unexpected"),
    ({"forbidden_policy": frozenset({"smt"})}, "policy-unexpected"),
    ({"required_platform": frozenset({"ciphertext_hiding_enabled"})}, "platform-unexpected"),
    ({"forbidden_platform": frozenset({"smt_enabled"})}, "platform-unexpected"),
]


@pytest.mark.parametrize(("settings", "code"), REFERENCES)
def test_reference_values(settings, code):
    assert codes(judge(report(), **settings)) == {f"evidence.snp.{code}"}


def test_reference_values_that_fit():
    settings: dict[str, Any] = {
        "measurements": frozenset({b"m" * 48, b"n" * 48}),
        "host_data": frozenset({b"h" * 32}),
        "id_key_digests": frozenset({b"i" * 48}),
        "author_key_digests": frozenset({b"a" * 48}),
        "report_ids": frozenset({b"r" * 32}),
        "family_ids": frozenset({bytes(16)}),
        "chip_ids": frozenset({HWID}),
        "denied_chip_ids": frozenset({HWID[:8]}),
        "minimum_tcb": {"Milan": {"snp": 24}, "Turin": {"fmc": 255}},
        "required_policy": frozenset({"smt"}),
        "require_committed": True,
        "vmpls": frozenset({0}),
    }
    data = report(author_key_enabled=True, author_key_digest=b"a" * 48)
    assert judge(data, **settings).passed
    provisional = report(current_tcb=b"\xff" * 8)
    assert codes(judge(provisional, require_committed=True)) == {"evidence.snp.provisional"}
    turin: dict[str, Any] = {"denied_chip_ids": frozenset({HWID[:8]})}
    assert codes(judge(report("Turin"), vek("Turin"), **turin)) == {"evidence.snp.chip-denied"}


def test_mitigations():
    wanted: dict[str, Any] = {"required_mitigations": 0b101}
    for vectors, good in (((0b111, 0b101), True), ((0b100, 0b111), False), ((0b111, 0b001), False)):
        appraisal = judge(report(version=5, mitigations=vectors), **wanted)
        assert appraisal.passed == good
        assert good or codes(appraisal) == {"evidence.snp.mitigation-missing"}
    assert codes(judge(report(), **wanted)) == {"evidence.snp.mitigation-missing"}


def test_a_denied_chip_hides_behind_no_mask():
    masked = report(chip_id=bytes(64))
    denied: dict[str, Any] = {"denied_chip_ids": frozenset({HWID})}
    assert codes(judge(masked, **denied)) == {"evidence.snp.chip-denied"}
    lent = report(chip_id=bytes(64), signing_key="vlek")
    assert codes(judge(lent, vek(kind="vlek"), **denied)) == {"evidence.snp.chip-unnamed"}
    known: dict[str, Any] = {"csp_ids": frozenset({"CN=cc.example"})}
    assert judge(lent, vek(kind="vlek"), **known).passed
    other = vek(kind="vlek", csp_id="CN=cc.other")
    assert codes(judge(lent, other, **known)) == {"evidence.snp.signing-key-mismatch"}


def test_policy_bits():
    for policy, code in ((0xB001F, "debug-enabled"), (0x7001F, "policy-unexpected")):
        assert codes(judge(report(policy=policy))) == {f"evidence.snp.{code}"}
    tolerated = judge(report(policy=0xB001F), allow_debug=True)
    assert tolerated.passed and {check.id for check in tolerated.checks if check.warning} == {
        "evidence.snp.debug",
        "evidence.snp.tcb-status",
    }
    assert judge(report(policy=0x7001F), forbidden_policy=frozenset()).passed
    strong = {"ciphertext_hiding", "aes_256_xts", "rapl_disabled", "page_swap_disabled", "single_socket"}
    assert judge(report(policy=0x3D2001F), required_policy=frozenset(strong)).passed


def test_freshness():
    assert judge(report(), challenge=bytes(range(64))).passed
    assert judge(report(report_data=b"c" * 32 + bytes(32)), challenge=b"c" * 32).passed
    for challenge in (bytes(64), bytes(range(63)), bytes(range(32)), b""):
        assert codes(judge(report(), challenge=challenge)) == {"evidence.snp.challenge-mismatch"}
    unasked = {check.code for check in judge(report()).checks if check.outcome == "SKIP"}
    assert "evidence.snp.challenge-not-given" in unasked


@pytest.mark.parametrize("shift", [-SECOND, timedelta(0), SECOND])
def test_windows_to_the_second(shift):
    start, end = AT - DAY, AT + DAY
    narrow: dict[str, Any] = {
        "vek": (vek(start=start, end=end), ask(), {}),
        "ask": (vek(), ca("SEV-Milan", "ARK-Milan", start, end), {}),
        "ark": (vek(), ask(), {"roots": (der(ca("ARK-Milan", "", start, end)),)}),
    }
    for which, (leaf, issuer, settings) in narrow.items():
        opening = judge(report(), leaf, issuer, when=start + shift, **settings)
        closing = judge(report(), leaf, issuer, when=end + shift, **settings)
        assert opening.passed == (shift >= timedelta(0)), which
        assert closing.passed == (shift <= timedelta(0)), which
        for appraisal in (opening, closing):
            assert appraisal.passed or codes(appraisal) == {"evidence.snp.vek-chain-expired"}
        inside = judge(report(), leaf, issuer, **settings)
        assert inside.passed and inside.expires == end


STRICT: dict[str, Any] = {"require_crl": True}


def test_revocation():
    fine = judge(report(), collateral=crls(crl()), **STRICT)
    assert fine.passed and fine.expires == AT + DAY
    assert codes(judge(report(), **STRICT)) == {"evidence.snp.issuer-crl-missing"}
    for settings in ({}, STRICT):  # a list that names a certificate counts, whether it is demanded or not
        revoked = judge(report(), collateral=crls(crl(revoked=(7,))), **settings)
        assert codes(revoked) == {"evidence.snp.issuer-revoked"}
    leaf = judge(report(), collateral=crls(crl(), crl("SEV-Milan", (11,))), **STRICT)
    assert codes(leaf) == {"evidence.snp.vek-revoked"}
    other = judge(report(), collateral=crls(crl(revoked=(8,)), crl("SEV-Milan", (12,))), **STRICT)
    assert other.passed


def test_lists_that_do_not_count():
    cases = [
        (crl("ARK-Genoa"), "issuer-crl-missing"),
        (crl(signer="attacker"), "issuer-crl-invalid"),
        (crl(signer="attacker", revoked=(7,)), "issuer-crl-invalid"),
        (crl(start=AT - 2 * DAY, end=AT - SECOND), "issuer-crl-expired"),
        (crl(start=AT + SECOND, end=AT + DAY), "issuer-crl-expired"),
        (crl()[:-1], "issuer-crl-missing"),
        (b"\x30\x03\x30\x01\x00", "issuer-crl-missing"),
    ]
    for data, code in cases:
        appraisal = judge(report(), collateral=crls(data), **STRICT)
        assert codes(appraisal) == {f"evidence.snp.{code}"}, code
    for end in (AT, AT + SECOND):
        assert judge(report(), collateral=crls(crl(end=end)), **STRICT).expires == end
    assert judge(report(), collateral=crls(crl(start=AT, end=END)), **STRICT).passed
    expired_revoking = crl(revoked=(7,), start=AT - 2 * DAY, end=AT - DAY)
    assert codes(judge(report(), collateral=crls(crl(), expired_revoking), **STRICT)) == {"evidence.snp.issuer-revoked"}


def test_a_root_that_signs_for_itself():
    """Where a policy lists the issuer itself, its own list is the one that is demanded."""
    settings: dict[str, Any] = {"roots": (der(ask()),), "intermediates": (), **STRICT}
    assert codes(judge(report(), **settings)) == {"evidence.snp.vek-list-unpublished"}
    for bundle in ((vek(),), (vek(), ask())):
        for intermediates in ((), (der(ask()),)):
            settings["intermediates"] = intermediates
            assert judge(report(), *bundle, collateral=crls(crl("SEV-Milan")), **settings).passed


def test_collateral_with_many_certificates():
    wrong = [Item("x509", der(vek(hwid=bytes([n]) * 64, key=chip_key(f"other {n}")))) for n in range(1, 4)]
    right = Item("x509", der(vek()))
    odd = [Item("x509", b"SEV-\x30"), Item("x509", der(ark())), Item("x509", der(vek(extensions={"2": None})))]
    for items in ([*odd, *wrong, right], [right, *wrong]):
        bag = Collateral(tuple(items))
        appraisal = appraise({"report": report()}, challenge=None, at=AT, trust=trust(), collateral=bag)
        assert appraisal.passed, codes(appraisal)
    bag = Collateral((odd[2],))
    appraisal = appraise({"report": report()}, challenge=None, at=AT, trust=trust(), collateral=bag)
    assert codes(appraisal) == {"evidence.snp.vek-unsupported"}


@pytest.mark.parametrize(
    "settings",
    [
        {"measurements": frozenset({b"x"})},
        {"chip_ids": frozenset({bytes(9)})},
        {"products": frozenset()},
        {"products": frozenset({"Rome"})},
        {"signing_keys": frozenset({"none"})},
        {"vmpls": frozenset()},
        {"vmpls": frozenset({4})},
        {"required_policy": frozenset({"smt_enabled"})},
        {"required_platform": frozenset({"smt"})},
        {"required_policy": frozenset({"debug"}), "forbidden_policy": frozenset({"debug"})},
        {"minimum_tcb": {"Rome": {}}},
        {"minimum_tcb": {"Milan": {"fmc": 1}}},
    ],
)
def test_meaningless_trust_is_refused(settings):
    with pytest.raises(OperationalError) as caught:
        SnpTrust(**settings)
    assert caught.value.code == "evidence.snp.trust-invalid"


def test_serial_numbers_of_zero_raise_no_warning():
    """AMD's own have that; `x509` cannot make one, so a real one stands in."""
    from tests.attestation.snp import real

    appraisal = real.judge(real.members("milan-v3"))
    assert isinstance(x509.load_der_x509_certificate(der(ark())), x509.Certificate)
    observed = {check.id: check.observed for check in appraisal.checks}
    assert observed["evidence.snp.vek-revocation"] == "no CRL of its issuer"
    assert START < AT
