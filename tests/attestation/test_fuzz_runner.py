# SPDX-License-Identifier: AGPL-3.0-or-later
"""A small dose of what `make fuzz-evidence` does a million times for each parser; and that it finds what it is for."""

from __future__ import annotations

from collections import Counter
from functools import cache

import pytest

from attestation.errors import MalformedError, OperationalError
from scripts.fuzzed import MAX_GROWTH_MB, Tally, summary
from scripts.histogram import percentile, step
from tests.attestation.fuzzing import cases, corpus
from tests.attestation.fuzzing.catalogue import catalogue
from tests.attestation.fuzzing.evidence import COLLATERAL
from tests.attestation.fuzzing.mutations import MUTATIONS
from tests.attestation.fuzzing.target import Outcome, Seed, Target, of_bytes

pytest.importorskip("signxml")
pytest.importorskip("dcap_qvl")

DOSE = 250
IDENTITY = {"seed": 1, "corpus": "x"}


@cache
def everything() -> dict[str, Target]:
    return catalogue(corpus.make())


NEVER_REFUSE = {"armour"}
"""What is in none of its forms stays what it is."""

GROUPS = 6
"""The parsers in turn, so that no test takes long."""


@pytest.mark.parametrize("group", range(GROUPS))
def test_a_small_dose(group):
    for name in sorted(everything())[group::GROUPS]:
        target = everything()[name]
        genuine = cases.statements(target)
        found = [cases.run(target, 2, number, genuine) for number in range(DOSE // (8 if "appraise" in name else 1))]
        assert [(c.kind, c.code, c.detail) for c in found if c.code in cases.FAULTS] == [], name
        refused = sum(case.code not in cases.NOT_REFUSED for case in found)
        assert refused > len(found) // 8 or name in NEVER_REFUSE, name


def test_every_format_is_among_them():
    from attestation.formats import FORMATS

    for scheme in FORMATS.values():
        assert {f"read {scheme.name}", f"appraise {scheme.name}"} <= everything().keys()
        target = everything()[f"appraise {scheme.name}"]
        # Something passes unchanged, under each trust that is asked with: else nothing could be wrongly accepted.
        assert scheme.simulated or cases.statements(target), scheme.name


def test_cases_are_functions_of_their_number():
    target = everything()["appraise nvidia"]
    kinds = Counter(cases.draw(target, 1, number)[1] for number in range(600))
    assert set(MUTATIONS) | {"flood", "part lost", "parts exchanged", "part of other evidence"} <= kinds.keys()
    for number in range(20):
        assert cases.draw(target, 1, number) == cases.draw(target, 1, number)
    assert cases.draw(target, 1, 3)[2] != cases.draw(target, 2, 3)[2]
    floods = [parts for number in range(600) if (parts := cases.draw(target, 1, number)[2]) and len(parts) > 30]
    assert floods and all(any(name.startswith(COLLATERAL) for name in parts) for parts in floods)


def tally(target: Target, path, count: int = 300) -> Tally:
    found = Tally(IDENTITY)
    found.warm(target)
    for _ in range(count):
        found.case(target, path / "kept")
    found.save(path / "state.json")
    return found


def test_it_finds_an_exception_without_a_type(tmp_path):
    """Planted: one that trips over a byte, and one that blames itself for what strangers send."""

    def trips(data: bytes) -> None:
        if data[:1] != b"E":
            raise MalformedError("evidence.planted", "another beginning")
        data.decode("ascii")

    def blames_itself(data: bytes) -> None:
        if data != b"Evidence":
            raise OperationalError("evidence.planted", "our fault")

    for parse in (trips, blames_itself):
        found = tally(of_bytes("planted", parse, b"Evidence"), tmp_path)
        assert found.outcomes[cases.UNTYPED] and found.failures and found.faults()
        assert list((tmp_path / "kept").iterdir())
        assert summary(found)["untyped"] == found.outcomes[cases.UNTYPED]


def test_it_finds_a_parser_that_accepts(tmp_path):
    """Planted: a check of all but the last byte. What says the same is none, nor is what was not changed."""

    def run(parts, seed):
        data = parts["data"]
        if data[:-1].strip() != b"signed statemen":
            raise MalformedError("evidence.planted", "not signed")
        return Outcome("passed", data.strip())

    found = tally(Target("planted", (Seed("s", {"data": b"signed statement"}),), run), tmp_path, 3000)
    assert found.outcomes[cases.ACCEPTED] and "ACCEPTED" in found.failures[0]
    whole = Target("planted", (Seed("s", {"data": b"signed statement"}),), lambda p, s: exact(p["data"]))
    honest = tally(whole, tmp_path, 3000)
    assert honest.outcomes[cases.ACCEPTED] == 0 == len(honest.faults())
    assert honest.outcomes[cases.EQUIVALENT] > 0


def exact(data: bytes) -> Outcome:
    if data.strip() != b"signed statement":
        raise MalformedError("evidence.planted", "not signed")
    return Outcome("passed", data.strip())


def test_it_finds_a_round_trip_that_is_none():
    class Loose:
        def encode(self) -> bytes:
            return b"x"

    target = of_bytes("planted", lambda data: Loose(), b"xyz")
    with pytest.raises(AssertionError):
        target.run({"data": b"xyz"}, target.seeds[0])


def test_it_finds_what_is_slow_or_large(tmp_path):
    found = Tally(IDENTITY)
    found.done = 1000
    found.times.update({step(0.001): 985, step(0.1): 15})
    found.worst_s = 0.1
    assert [fault.partition(" ")[0] for fault in found.faults()] == ["p99"]
    found.times = Counter({step(0.001): 995, step(0.1): 5})
    assert found.faults() == [] and 0.00098 < found.percentile(0.5) < 0.00103
    found.growth_mb = MAX_GROWTH_MB + 1
    found.worst_bytes = 1 << 30
    assert len(found.faults()) == 2

    def hoards(data: bytes) -> None:
        bytes(80 << 20)

    assert any("allocated" in fault for fault in tally(of_bytes("planted", hoards, b"abc"), tmp_path, 1).faults())
    assert percentile({}, 0.5, 0.0) == 0.0


def test_it_goes_on_where_it_was(tmp_path):
    target = everything()["tpm2 attest"]
    first = tally(target, tmp_path, 40)
    again = Tally.load(tmp_path / "state.json", IDENTITY)
    assert (again.done, again.outcomes, again.times) == (40, first.outcomes, first.times)
    again.warm(target)
    for _ in range(40):
        again.case(target, tmp_path)
    whole = tally(target, tmp_path, 80)
    assert again.done == 80 and again.outcomes == whole.outcomes and again.kinds == whole.kinds
    assert Tally.load(tmp_path / "state.json", {"seed": 2, "corpus": "x"}).done == 0
    (tmp_path / "state.json").write_text("{")
    assert Tally.load(tmp_path / "state.json", IDENTITY).done == 0


def test_evidence_on_paper_is_kept(tmp_path):
    path = tmp_path / "kept" / "corpus.json"
    made = corpus.kept(path)
    assert corpus.kept(path) == made and corpus.digest(made) != corpus.digest({**made, "x": b""})
    assert b"PRIVATE KEY" not in b"".join(made.values())
