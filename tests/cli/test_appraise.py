# SPDX-License-Identifier: AGPL-3.0-or-later
"""``affidavit appraise``, ``affidavit ear`` and ``affidavit attest`` as a user has them: exit codes, JSON, files."""

from __future__ import annotations

import base64
import json
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from affidavit.policy_file import write_policy
from attestation import raw
from node.settings import Settings
from tests.attestation import paper
from tests.attestation.ear.making import VECTORS
from tests.node.making import serving
from verifier.policy import parse_policy, profile_policy
from verifier.profiles import PROFILES

AT = "2026-06-01T12:00:00Z"
KEYS = {
    "format", "type", "at", "policy", "verdict", "exit_code", "code", "message", "remedy", "status", "trustworthiness",
    "checks", "claims", "score", "score_components", "score_reason", "simulated", "expires", "ear", "collateral",
    "ear_token",
}  # fmt: skip


@pytest.fixture
def quote(tmp_path):
    """A genuine quote in a file, with a policy that trusts its maker."""
    (tmp_path / "quote.json").write_bytes(raw.members_document("tpm2-quote@v1", paper.PaperTpm().members()))
    (tmp_path / "policy.toml").write_bytes(
        write_policy(
            name="trusting", assurance=["attested"], accept=["tpm2-quote@v1"], profile="home",
            ek_roots=[paper.maker().der], ak_issuers=[paper.attestation_ca().der],
        )
    )  # fmt: skip
    return tmp_path


@pytest.fixture
def appraise(affidavit, quote):
    def run(*arguments, policy=True, type_="tpm2", evidence="quote.json"):
        chosen = ["--policy", quote / "policy.toml"] if policy else []
        return affidavit("appraise", "--type", type_, "--evidence", quote / evidence, "--at", AT, *chosen, *arguments)

    return run


def test_accept(appraise):
    ran = appraise("--nonce", paper.CHALLENGE.hex(), "--json")
    assert ran.code == 0
    assert set(ran.json) == KEYS
    assert (ran.json["verdict"], ran.json["code"], ran.json["status"]) == ("ACCEPT", "", "affirming")
    assert ran.json["remedy"] == ""
    assert ran.json["claims"]["challenge"] == paper.CHALLENGE.hex() and 0 < ran.json["score"] <= 1
    assert sum(part["points"] for part in ran.json["score_components"]) == pytest.approx(ran.json["score"])
    for check in ran.json["checks"]:
        assert {"id", "result", "observed", "required", "code"} <= set(check)
    ear = ran.json["ear"]
    assert ear["eat_profile"] == "tag:ietf.org,2026:rats/ear#03" and ear["exp"] == ear["iat"] + 3600
    assert ear["submods"]["tpm2-quote@v1"]["ear_status"] == "affirming"


def test_type_ids_name_formats_too(appraise):
    assert appraise("--nonce", paper.CHALLENGE.hex(), type_="tpm2-quote@v1").code == 0


def test_for_people(appraise):
    ran = appraise("--nonce", paper.CHALLENGE.hex(), "--explain")
    assert ran.code == 0
    assert "PASS evidence.tpm2" in ran.out and "status: affirming" in ran.out and "integrity score" in ran.out
    assert "firmware date unknown" in ran.out and ran.out.rstrip().splitlines()[-1].startswith("ACCEPT")


def test_no_nonce_is_said_and_costs(appraise):
    fresh, stale = appraise("--nonce", paper.CHALLENGE.hex(), "--json"), appraise("--json")
    assert stale.code == 0 and stale.json["score"] == pytest.approx(fresh.json["score"] - 0.15)
    found = {check["code"]: check for check in stale.json["checks"] if check["result"] == "SKIP"}
    assert found["evidence.tpm2.challenge-not-given"]["demanded"] is False


@pytest.mark.parametrize("nonce", ["00" * 32, paper.CHALLENGE.hex()[:-2], paper.CHALLENGE.hex() + "00", "ff"])
def test_reject(appraise, nonce):
    ran = appraise("--nonce", nonce, "--json")
    assert ran.code == 10
    assert (ran.json["verdict"], ran.json["code"]) == ("REJECT", "evidence.tpm2.challenge-mismatch")
    assert (ran.json["status"], ran.json["score"]) == ("contraindicated", 0)
    assert "nonce of this question" in ran.json["remedy"]
    assert ran.json["ear"]["submods"]["tpm2-quote@v1"]["ear_status"] == "contraindicated"


def test_unverifiable_without_a_policy(appraise):
    ran = appraise("--nonce", paper.CHALLENGE.hex(), "--json", policy=False)
    assert ran.code == 20
    assert (ran.json["verdict"], ran.json["status"], ran.json["policy"]) == ("UNVERIFIABLE", "none", "profile:home")
    assert ran.json["code"] and ran.json["score"] <= 0.5
    assert "whom you trust" in ran.json["remedy"]


def test_malformed(appraise, quote):
    (quote / "bad").write_bytes(b"\x00\x01nonsense")
    ran = appraise("--json", evidence="bad")
    assert ran.code == 30
    assert (ran.json["verdict"], ran.json["code"]) == ("MALFORMED", "evidence.tpm2.raw-malformed")
    assert (ran.json["status"], ran.json["ear"], ran.json["checks"]) == ("none", None, [])
    ran = appraise(evidence="bad")
    assert ran.code == 30 and "MALFORMED(evidence.tpm2.raw-malformed)" in ran.out


def test_ours(appraise, quote):
    ran = appraise(evidence="nowhere")
    assert ran.code == 1 and "file.unreadable" in ran.err
    ran = appraise("--collateral", quote / "nowhere")
    assert ran.code == 1 and "file.unreadable" in ran.err


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--nonce", "xyz"], "option.malformed"),
        (["--nonce", "0"], "option.malformed"),
        (["--nonce", "00" * 65], "option.malformed"),
        (["--at", "yesterday"], "option.malformed"),
        (["--ear-out", "x"], "option.malformed"),
    ],
)
def test_options(appraise, arguments, code):
    ran = appraise(*arguments)
    assert ran.code == 30 and code in ran.err


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--nonce", "xyz"], 30, "option.malformed"),
        (["--type", "abacus"], 20, "evidence.type-unknown"),
        (["--evidence", "nowhere"], 1, "file.unreadable"),
    ],
)
def test_json_has_its_keys_where_nothing_was_decided(appraise, arguments, code, said):
    ran = appraise(*arguments, "--json")
    assert (ran.code, ran.json["exit_code"], ran.json["code"]) == (code, code, said)
    assert (ran.json["status"], ran.json["score"]) == ("none", 0)
    assert (ran.json["checks"], ran.json["claims"], ran.json["ear"]) == ([], {}, None)


def test_types_that_are_none(appraise):
    ran = appraise(type_="abacus")
    assert ran.code == 20 and "evidence.type-unknown" in ran.err
    assert "snp" in ran.err and "tpm2" in ran.err
    assert appraise(type_="abacus@v1").code == 20
    ran = appraise(type_="ear")
    assert ran.code == 20 and "affidavit ear verify" in ran.err


def test_collateral_is_recognised_and_odd_files_are_listed(appraise, quote):
    folder = quote / "collateral"
    (folder / "inner").mkdir(parents=True)
    (folder / "root.pem").write_bytes(base64.b64encode(paper.maker().der))
    (folder / "inner" / "notes.txt").write_text("what is this?")
    (folder / "empty").touch()
    (folder / "odd.pem").write_text("-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n")
    (folder / "dangling").symlink_to(folder / "gone")
    ran = appraise("--nonce", paper.CHALLENGE.hex(), "--collateral", folder, "--json")
    assert ran.code == 0
    assert ran.json["collateral"]["items"] == {"binary": 1, "x509": 1}
    listed = {entry["file"]: entry["code"] for entry in ran.json["collateral"]["ignored"]}
    assert listed == {"empty": "file.empty", "odd.pem": "evidence.collateral.armour-malformed"}
    assert "left out of the collateral: odd.pem" in appraise("--collateral", folder).out


def test_too_much_collateral(appraise, quote, monkeypatch):
    (quote / "collateral").mkdir()
    (quote / "collateral" / "big").write_bytes(bytes((16 << 20) + 1))
    ran = appraise("--collateral", quote / "collateral")
    assert ran.code == 30 and "evidence.collateral.too-large" in ran.err
    (quote / "collateral" / "big").unlink()
    for number in range(513):
        (quote / "collateral" / str(number)).write_bytes(b"%d" % number)
    ran = appraise("--collateral", quote / "collateral")
    assert ran.code == 30 and "evidence.collateral.too-much" in ran.err


def test_reference_values(appraise, quote):
    values = {index: value.hex() for (_, index), value in paper.PaperTpm().pcrs.items() if index == 0}
    for name, text in (
        ("right.toml", f'pcrs = {{ 0 = ["{values[0]}"] }}\n'),
        ("right.json", json.dumps({"pcrs": {"0": [values[0]]}})),
    ):
        (quote / name).write_text(text)
        ran = appraise("--nonce", paper.CHALLENGE.hex(), "--reference", quote / name, "--json")
        assert ran.code == 0, ran.out
    (quote / "wrong.toml").write_text(f'pcrs = {{ 0 = ["{"ab" * 32}"] }}\n')
    ran = appraise("--nonce", paper.CHALLENGE.hex(), "--reference", quote / "wrong.toml", "--json")
    assert ran.code == 10 and ran.json["verdict"] == "REJECT"
    for text in ("", "unknown = 1\n", "{", '{"pcrs": {}, "pcrs": {}}', "\x00", "[]"):
        (quote / "bad").write_text(text)
        ran = appraise("--reference", quote / "bad", "--json")
        assert ran.code == 30 and ran.json["code"] == "policy.reference.malformed"


def test_reference_values_over_a_policy_without_roots(affidavit, quote):
    """They add to the policy's own table; they are no second policy."""
    (quote / "bare.toml").write_bytes(
        write_policy(name="bare", assurance=["attested"], accept=["tpm2-quote@v1"], profile="home")
    )
    pem = paper.maker().certificate.public_bytes(Encoding.PEM).decode()
    ca = paper.attestation_ca().certificate.public_bytes(Encoding.PEM).decode()
    (quote / "roots.json").write_text(json.dumps({"ek_roots": [pem], "ak_issuers": [ca]}))
    ran = affidavit(
        "appraise", "--type", "tpm2", "--evidence", quote / "quote.json", "--at", AT, "--nonce", paper.CHALLENGE.hex(),
        "--policy", quote / "bare.toml", "--reference", quote / "roots.json",
    )  # fmt: skip
    assert ran.code == 0


@pytest.fixture
def keys(tmp_path):
    key = ec.generate_private_key(ec.SECP256R1())
    (tmp_path / "key.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (tmp_path / "public.pem").write_bytes(public)
    return tmp_path


@pytest.mark.parametrize("form", ["jwt", "cwt"])
@pytest.mark.parametrize("dialect", ["draft", "veraison"])
def test_signed_results(affidavit, appraise, keys, form, dialect):
    signing = ["--sign-key", keys / "key.pem", "--ear-format", form, "--ear-dialect", dialect]
    ran = appraise("--nonce", paper.CHALLENGE.hex(), *signing, "--ear-out", keys / "result", "--json")
    assert ran.code == 0
    token = (keys / "result").read_bytes()
    assert ran.json["ear_token"].encode() == (token if form == "jwt" else base64.b64encode(token))
    asked = ["ear", "verify", keys / "result", "--key", keys / "public.pem", "--at", AT]
    ran = affidavit(*asked, "--nonce", paper.CHALLENGE.hex(), "--json")
    assert ran.code == 0 and ran.json["status"] == "affirming"
    assert ran.json["submods"]["tpm2-quote@v1"]["policy_claims"]["affidavit.verdict"] == "ACCEPT"
    assert affidavit(*asked, "--nonce", "00" * 32).code == 10
    assert affidavit(*asked[:-1], "2026-06-01T13:00:00Z").code == 10
    assert "affirming" in affidavit(*asked).out


def test_a_result_that_speaks_against_the_machine_is_no_acceptance(affidavit, appraise, keys):
    for nonce, policy, code, said in (
        ("00" * 32, True, 10, "ear.contraindicated"),
        (paper.CHALLENGE.hex(), False, 20, "ear.says-nothing"),
    ):
        appraise("--nonce", nonce, "--sign-key", keys / "key.pem", "--ear-out", keys / "result", policy=policy)
        ran = affidavit("ear", "verify", keys / "result", "--key", keys / "public.pem", "--at", AT, "--json")
        assert (ran.code, ran.json["code"]) == (code, said)


def test_foreign_results(affidavit):
    key = VECTORS / "veraison_testkey_pub.jwk"
    assert affidavit("ear", "verify", VECTORS / "veraison_arc_testJWT.jwt", "--key", key).code == 0
    for number, code in ((1, 10), (2, 10), (3, 30), (4, 30)):
        assert affidavit("ear", "verify", VECTORS / f"veraison_ear_test_{number}.jwt", "--key", key).code == code


# Profiles as files.


@pytest.mark.parametrize("profile", PROFILES)
def test_a_profile_as_a_file_says_what_the_built_in_one_does(affidavit, tmp_path, profile):
    ran = affidavit("policy", "new", "--profile", profile, "-o", tmp_path / "policy.toml")
    assert ran.code == 0
    read, built_in = parse_policy((tmp_path / "policy.toml").read_bytes()), profile_policy(profile)
    assert (read.profile, read.demands, read.evidence) == (profile, built_in.demands, built_in.evidence)
    assert not read.unsafe_accept_simulated
    assert f"({profile})" in affidavit("policy", "check", tmp_path / "policy.toml").out


def test_an_edited_profile(affidavit, quote):
    text = (quote / "policy.toml").read_text()
    edited = text.replace("freshness = false", "freshness = true").replace(
        "minimum_score_permille = 0", "minimum_score_permille = 1000"
    )
    (quote / "edited.toml").write_text(edited)
    asked = ["appraise", "--type", "tpm2", "--evidence", quote / "quote.json", "--at", AT]
    ran = affidavit(*asked, "--policy", quote / "edited.toml", "--json")
    assert (ran.code, ran.json["code"]) == (20, "evidence.tpm2.challenge-not-given")
    ran = affidavit(*asked, "--policy", quote / "edited.toml", "--nonce", paper.CHALLENGE.hex(), "--json")
    assert (ran.code, ran.json["code"]) == (20, "policy.score.too-low")


@pytest.mark.parametrize(
    "table",
    ['freshnes = true', 'freshness = "yes"', 'tcb_statuses = ["Revoked"]', 'tcb_statuses = ["Fine"]',
     "max_collateral_age_days = 0", "minimum_score_permille = 1001", "debug = 1"],
)  # fmt: skip
def test_meaningless_demands_are_refused(affidavit, tmp_path, table):
    (tmp_path / "p.toml").write_text(
        f'format = "policy@v1"\nprofile = "home"\n[require]\nassurance = ["signed"]\n[appraisal]\n{table}\n'
    )
    ran = affidavit("policy", "check", tmp_path / "p.toml")
    assert ran.code == 30 and "policy.malformed" in ran.err


# Attesting a running node.


@pytest.fixture
def unsafe(tmp_path):
    (tmp_path / "unsafe.toml").write_bytes(write_policy(name="unsafe", assurance=["attested"], simulated=True))
    return tmp_path / "unsafe.toml"


def test_attest_and_again_offline(affidavit, tmp_path, unsafe):
    with serving(Settings(data_dir=tmp_path / "node", port=0)) as node:
        ran = affidavit("attest", node.url, "--policy", unsafe, "--save", tmp_path / "session", "--json")
        assert ran.code == 0
        assert ran.json["status"] == "warning" and ran.json["simulated"] is True
        assert ran.json["node"]["signing"] and len(ran.json["pieces"]) == 1
        again = affidavit("attest", node.url, "--policy", unsafe, "--json")
        assert again.json["nonce"] != ran.json["nonce"] and again.json["node"] == ran.json["node"]
        refused = affidavit("attest", node.url, "--policy", unsafe, "--save", tmp_path / "session")
        assert refused.code == 1 and "file.exists" in refused.err
        plain = affidavit("attest", node.url)
        assert plain.code == 20 and "evidence.type.not-accepted" in plain.out
    session = json.loads((tmp_path / "session" / "session.json").read_text())
    from node.evidence import keys_digest
    from verifier.keys import KeySet

    keys = KeySet(bytes.fromhex(session["signing"]), bytes.fromhex(session["sealing"]))
    assert keys_digest(bytes.fromhex(session["nonce"]), keys).hex() == session["challenge"] == ran.json["challenge"]
    asked = ["appraise", "--type", "simulated", "--evidence", tmp_path / "session" / "evidence-0.json"]
    asked += ["--policy", unsafe, "--at", session["at"]]
    assert affidavit(*asked, "--nonce", session["challenge"]).code == 0
    assert affidavit(*asked, "--nonce", session["nonce"]).code == 10  # the keys are part of it


def test_attest_nobody(affidavit, unsafe):
    ran = affidavit("attest", "http://127.0.0.1:9", "--policy", unsafe)
    assert ran.code == 1 and "client.network.failed" in ran.err


def test_attest_a_listed_node_only(affidavit, tmp_path, unsafe):
    text = unsafe.read_text() + f'\n[keys]\nnodes = ["{"ab" * 32}"]\n'
    (tmp_path / "listed.toml").write_text(text)
    with serving(Settings(data_dir=tmp_path / "node", port=0)) as node:
        ran = affidavit("attest", node.url, "--policy", tmp_path / "listed.toml")
    assert ran.code == 10 and "client.keys.not-allowed" in ran.err


# Clocks of nodes' TPMs.


class PaperNode:
    """Evidence of a paper TPM whose clock a test turns; its key is listed in the policy, so that no date matters."""

    type, simulated = "tpm2-quote@v1", False

    def __init__(self):
        self.said: dict[str, Any] = {"clock": 1000}

    def describe(self):
        return "paper"

    def collect(self, challenge):
        return paper.PaperTpm(extra_data=challenge, **self.said).members(ak_certificate=None, ek_certificate=None)

    def close(self):
        pass


def test_attest_notices_a_clock_that_goes_backwards(affidavit, tmp_path, monkeypatch):
    from attestation.tpm2.ak import load_ak

    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    machine = PaperNode()
    key = load_ak(machine.collect(bytes(32))).fingerprint.hex()
    bare = write_policy(name="listed", assurance=["attested"], accept=["tpm2-quote@v1"], profile="home")
    (tmp_path / "p.toml").write_bytes(bare + f'\n[evidence.tpm2]\nak_keys = ["{key}"]\n'.encode())
    with serving(Settings(data_dir=tmp_path / "node", port=0), machine) as node:
        asked = ("attest", node.url, "--policy", tmp_path / "p.toml", "--json")
        assert affidavit(*asked, "--no-keep-clocks").code == 0
        assert not (tmp_path / "data").exists()
        assert affidavit(*asked).code == 0
        assert (tmp_path / "data" / "affidavit" / "known_tpms").read_text() == f"{key} 1000 1 2\n"
        machine.said = {"clock": 2000, "resets": 0}
        ran = affidavit(*asked)
        assert (ran.code, ran.json["code"]) == (10, "evidence.tpm2.counters-backwards")
        other = ("--known-tpms", tmp_path / "other")
        assert affidavit(*asked, *other).code == 0 and (tmp_path / "other").read_text() == f"{key} 2000 0 2\n"
        (tmp_path / "other").write_text("nonsense\n")
        ran = affidavit(*asked, *other)
        assert ran.code == 1 and ran.json["code"] == "client.known-tpms.unreadable"


def test_a_service_forgets_a_clock(affidavit, tmp_path):
    from attestation.clock import Counters
    from verifier.service import Database
    from verifier.service.clocks import Clocks, remember

    url, key = f"sqlite:///{tmp_path}/service.db", bytes(range(32))
    database = Database(url)
    database.migrate(paper.AT)
    with database.write() as connection:
        remember(connection, {key: Counters(1, 1, 1)}, accepted=True, at=paper.AT, lifetime=timedelta(seconds=300))
    ran = affidavit("verifier", "forget-clock", key.hex(), "--database", url)
    assert ran.code == 0 and key.hex() in ran.out
    assert Clocks(database, timedelta(seconds=300)).known(frozenset({key}), paper.AT) == {}
    database.close()
    ran = affidavit("verifier", "forget-clock", key.hex(), "--database", url)
    assert ran.code == 1 and "service.clock.unknown" in ran.err
    assert affidavit("verifier", "forget-clock", "xyz", "--database", url).code == 30
