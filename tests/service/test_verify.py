# SPDX-License-Identifier: AGPL-3.0-or-later
"""Affidavits in, recorded verdicts out, on both databases."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest

from circuits import dump_circuit
from tests.service.conftest import Service
from tests.verifier.making import AT, NODE, NONCE, STRANGER, Making, public, small_circuit
from verifier import Known, parse_policy, verify
from verifier.keys import key_id
from verifier.report import result_json
from verifier.service import verify_chain
from verifier.tensors import commit


def upload(service: Service, making: Making) -> str:
    answer = service.put_model(dump_circuit(making.circuit))
    assert answer.status_code in (200, 201), answer.text
    return str(answer.json()["circuit"])


def test_an_honest_affidavit_is_accepted(service: Service, honest: Making, affidavit: bytes) -> None:
    model = upload(service, honest)
    answer = service.verify(affidavit, nonce=NONCE.hex(), model=model)
    assert answer.status_code == 200
    document = answer.json()
    assert (document["verdict"], document["exit_code"], document["code"]) == ("ACCEPT", 0, "")
    assert document["findings"] == []
    assert document["answer"]["y"]["shape"] == [2, 2]
    record = document["record"]
    assert record["affidavit"] == hashlib.sha256(affidavit).hexdigest()
    assert record["node"] == key_id(public(NODE)) and record["signed"] is True
    assert record["circuit"] == model and record["nonce"] == NONCE.hex()
    assert record["score_permille"] == document["score"]["permille"]
    assert document["audit"]["seq"] == 2  # the model, then this verdict


def test_the_report_is_the_cores_own(service: Service, honest: Making, affidavit: bytes) -> None:
    model = upload(service, honest)
    document = service.verify(affidavit, nonce=NONCE.hex(), model=model).json()
    policy = parse_policy(service.settings.policies[0].read_bytes())
    own = verify(affidavit, at=AT, policy=policy, known=Known(circuit=honest.circuit, nonce=NONCE))
    expected = result_json(own, AT)
    assert {key: document[key] for key in expected} == expected


@pytest.mark.parametrize(
    ("making", "query", "verdict", "code"),
    [
        (Making(ran=small_circuit(weight=4)), {}, "REJECT", "recheck.trace.mismatch"),
        (Making(key=STRANGER), {}, "REJECT", "receipt.signer.not-allowed"),
        (Making(), {"nonce": "ff" * 32}, "REJECT", "request.nonce.mismatch"),
        (Making(), {"input": "ff" * 32}, "REJECT", "request.input.mismatch"),
        (Making(embed_trace=False), {}, "UNVERIFIABLE", "trace.leaves.missing"),
        (Making(), {"at": "2026-11-21T11:00:00Z"}, "REJECT", "receipt.time.future"),
    ],
)
def test_what_is_wrong_has_its_code(
    service: Service, making: Making, query: dict[str, str], verdict: str, code: str
) -> None:
    model = upload(service, making)
    document = service.verify(making.build(), **{"nonce": NONCE.hex(), "model": model} | query).json()
    assert (document["verdict"], document["code"]) == (verdict, code)
    assert document["answer"] is None


def test_the_input_can_be_pinned(service: Service, honest: Making, affidavit: bytes) -> None:
    model, pinned = upload(service, honest), commit(honest.encoded()).hex()
    document = service.verify(affidavit, nonce=NONCE.hex(), model=model, input=pinned).json()
    lines = {check["id"]: check["result"] for check in document["checks"]}
    assert document["verdict"] == "ACCEPT" and lines["request.input"] == "PASS"


def test_without_a_nonce_nothing_is_accepted(service: Service, honest: Making, affidavit: bytes) -> None:
    document = service.verify(affidavit, model=upload(service, honest)).json()
    assert (document["verdict"], document["code"]) == ("UNVERIFIABLE", "request.nonce.unknown")


def test_a_model_that_somebody_uploaded_is_nobodys_choice(service: Service, honest: Making, affidavit: bytes) -> None:
    upload(service, honest)
    document = service.verify(affidavit, nonce=NONCE.hex()).json()
    assert (document["verdict"], document["code"]) == ("UNVERIFIABLE", "model.circuit.unknown")


def test_a_model_that_the_policy_lists_is_used(start, honest: Making) -> None:
    policy = start.policy.read_text() + f'\n[models]\nallowed = ["{honest.circuit.digest.hex()}"]\n'
    start.policy.write_text(policy)
    service = start()
    bare = replace(honest, embed_circuit=False).build()
    lacking = service.verify(bare, nonce=NONCE.hex()).json()
    assert lacking["verdict"] == "UNVERIFIABLE" and lacking["code"].endswith(".circuit.missing")
    upload(service, honest)
    assert service.verify(bare, nonce=NONCE.hex()).json()["verdict"] == "ACCEPT"


@pytest.mark.parametrize("content", [b"", b"hello", b"PK\x03\x04" + bytes(100)])
def test_bytes_that_are_no_affidavit_are_malformed(service: Service, content: bytes) -> None:
    document = service.verify(content, nonce=NONCE.hex()).json()
    assert document["verdict"] == "MALFORMED"
    assert document["code"].startswith("affidavit.container.")
    record = document["record"]
    assert record["node"] is record["receipt"] is None and record["signed"] is False
    assert record["affidavit"] == hashlib.sha256(content).hexdigest()
    answer = service.client.get(f"/v1/affidavits/{record['affidavit']}")
    assert (answer.status_code, answer.json()["code"]) == (404, "service.affidavit.unknown")


def test_noise_does_not_fill_the_disk(service: Service) -> None:
    noise = [number.to_bytes(2) * 50_000 for number in range(5)]
    for content in noise:
        assert service.verify(content).json()["verdict"] == "MALFORMED"
    stored = [path for path in service.settings.blobs.rglob("*") if path.is_file()]
    assert not {hashlib.sha256(content).hexdigest() for content in noise} & {path.name for path in stored}
    assert sum(path.stat().st_size for path in stored) < len(noise[0])
    verify_chain(service.parts.database, service.parts.blobs)


def test_truncated_and_flipped_files_are_never_accepted(service: Service, honest: Making, affidavit: bytes) -> None:
    model = upload(service, honest)
    middle = len(affidavit) // 2
    flipped = affidavit[:middle] + bytes([affidavit[middle] ^ 1]) + affidavit[middle + 1 :]
    for content in (affidavit[:-1], affidavit[:middle], flipped, affidavit + b"\x00"):
        document = service.verify(content, nonce=NONCE.hex(), model=model).json()
        assert document["verdict"] in ("MALFORMED", "REJECT")


def test_a_verdict_can_be_read_again(service: Service, affidavit: bytes) -> None:
    given = service.verify(affidavit, nonce=NONCE.hex()).json()
    head = given.pop("audit")
    number = given["record"]["id"]
    assert service.client.get(f"/v1/verifications/{number}").json() == given
    assert service.client.get("/v1/audit/head").json() == head
    again = service.client.get(f"/v1/affidavits/{given['record']['affidavit']}")
    assert again.content == affidavit
    assert "attachment" in again.headers["content-disposition"]


def test_lists_are_paged_newest_first(service: Service, affidavit: bytes) -> None:
    for content in (b"a", affidavit, b"b", b"c", b"d"):
        assert service.verify(content).status_code == 200
    seen: list[int] = []
    cursor: dict[str, int] = {}
    while True:
        page = service.client.get("/v1/verifications", params={"limit": 2} | cursor).json()
        seen += [record["id"] for record in page["verifications"]]
        if page["next"] is None:
            break
        cursor = {"cursor": page["next"]}
    assert seen == [5, 4, 3, 2, 1]
    mine = service.client.get("/v1/verifications", params={"node": key_id(public(NODE))}).json()
    assert [record["id"] for record in mine["verifications"]] == [2]
    bad = service.client.get("/v1/verifications", params={"verdict": "MALFORMED"}).json()
    assert [record["id"] for record in bad["verifications"]] == [5, 4, 3, 1]


def test_a_nonce_on_two_receipts_of_a_node_is_reported(service: Service, honest: Making) -> None:
    other = Making(inputs={"x": honest.inputs["x"][::-1].copy()})
    first = service.verify(honest.build()).json()
    assert first["findings"] == []
    assert service.verify(honest.build()).json()["findings"] == []  # the same receipt again
    second = service.verify(other.build()).json()
    assert [finding["code"] for finding in second["findings"]] == ["service.nonce.reused"]
    assert second["findings"][0]["verification"] == first["record"]["id"]
    assert second["record"]["reuse_of"] == first["record"]["id"]
    stored = service.client.get(f"/v1/verifications/{second['record']['id']}").json()
    assert stored["findings"] == second["findings"]
    assert service.client.get(f"/v1/nodes/{key_id(public(NODE))}").json()["nonces_reused"] == 1


def test_another_node_may_bear_the_same_nonce(service: Service, honest: Making) -> None:
    service.verify(honest.build())
    assert service.verify(replace(honest, key=STRANGER).build()).json()["findings"] == []


def test_facts_about_a_node_need_its_signature(service: Service, honest: Making) -> None:
    """A file that names somebody's key without its signature says nothing about them."""
    forged = Making(change={"meta": {"us_run": 13}})
    envelope = replace(forged.envelope(), signature=honest.envelope().signature)

    class Forged(Making):
        def envelope(self):
            return envelope

    document = service.verify(Forged(change=forged.change).build()).json()
    assert document["code"] == "receipt.signature.invalid"
    assert document["record"]["node"] == key_id(public(NODE)) and document["record"]["signed"] is False
    assert service.client.get(f"/v1/nodes/{key_id(public(NODE))}").status_code == 404
    assert service.verify(honest.build()).json()["findings"] == []  # its nonce was not taken away


def test_facts_about_a_node_are_counts_of_receipts(service: Service, honest: Making) -> None:
    model, good = upload(service, honest), honest.build()
    service.verify(good, nonce=NONCE.hex(), model=model)
    service.clock.turn(seconds=5)
    for _ in range(3):  # somebody shows the same receipt under a nonce that it never had
        service.verify(good, nonce="ff" * 32, model=model)
    facts = service.client.get(f"/v1/nodes/{key_id(public(NODE))}").json()
    assert (facts["verifications"], facts["receipts"]) == (4, 1)
    assert facts["receipts_by_verdict"] == {"ACCEPT": 1, "REJECT": 1, "UNVERIFIABLE": 0, "MALFORMED": 0}
    accepted = service.verify(good, nonce=NONCE.hex(), model=model).json()["score"]["permille"]
    assert facts["mean_score_permille"] == accepted  # nobody else can lower it
    assert facts["first_seen"] == "2026-11-21T12:00:00.000000Z"
    assert facts["last_seen"] == "2026-11-21T12:00:05.000000Z"


def test_what_is_not_held_is_404(service: Service, affidavit: bytes) -> None:
    nothing = "00" * 32
    paths = {
        "/v1/verifications/1": "service.verification.unknown",
        f"/v1/affidavits/{nothing}": "service.affidavit.unknown",
        f"/v1/nodes/{nothing}": "service.node.unknown",
        "/v2": "service.path.unknown",
    }
    for path, code in paths.items():
        answer = service.client.get(path)
        assert (answer.status_code, answer.json()["code"]) == (404, code)
    assert service.verify(affidavit, model=nothing).json()["code"] == "service.model.unknown"
    assert service.verify(affidavit, policy=nothing).json()["code"] == "service.policy.unknown"
    assert service.client.get("/v1/audit/head").json()["seq"] == 0


def test_reports_and_models_are_not_served_as_affidavits(service: Service, affidavit: bytes) -> None:
    record = service.verify(affidavit).json()["record"]
    assert service.client.get(f"/v1/affidavits/{record['report']}").status_code == 404
