# SPDX-License-Identifier: AGPL-3.0-or-later
"""An attestation result as a value, and as the claims sets of the two dialects in use.

==================  ==================================================  =====================================
                    ``draft`` (draft-ietf-rats-ear-03)                  ``veraison`` (Veraison, Trustee)
==================  ==================================================  =====================================
profile             ``tag:ietf.org,2026:rats/ear#03``                   ``tag:github.com,2023:veraison/ear``
names in JSON       ``ear_status``, ``ear_trustworthiness_vector``      ``ear.status``, ``ear.trustworthiness-vector``
policy              ``ear_appraisal_policy_ids``: list of text          ``ear.appraisal-policy-id``: text
evidence's claims   ``ear_veraison_annotated_evidence``                 ``ear.veraison.annotated-evidence``
verifier's claims   ``ear_veraison_policy_claims``                      ``ear.veraison.policy-claims``
labels in CBOR      the same numbers in both: 1000, 1001, 1003, -70000, -70001, 1004, 265, 266, 10, 6, 4
==================  ==================================================  =====================================

Read, and not written, is ``tag:ietf.org,2026:rats/ear#04`` (draft-ietf-rats-ear-04): ``draft`` with claims of evidence
and verifier that are no extension any more, ``ear_attester_claims`` (1005) and ``ear_verifier_claims`` (1006).

In JSON a tier is a word and a nonce base64url text; in CBOR a number and a byte string.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Literal

from attestation.ear.tiers import CATEGORIES, Tier, worst

DialectName = Literal["draft", "veraison"]
Claims = dict[Any, Any]


LABELS: Mapping[str, int] = MappingProxyType(
    {
        "exp": 4,
        "iat": 6,
        "nonce": 10,
        "profile": 265,
        "submods": 266,
        "status": 1000,
        "vector": 1001,
        "evidence": 1002,
        "policy": 1003,
        "verifier": 1004,
        "annotated": -70000,
        "policy_claims": -70001,
    }
)
"""CBOR labels: CWT and EAT (RFC 8392, RFC 9711), draft-ietf-rats-ear section 3 and its Veraison extensions."""


@dataclass(frozen=True)
class Dialect:
    """Names of one dialect: `names` and `labels` from claim to JSON name and CBOR label, `policy_list` whether policies
    are a list."""

    name: DialectName
    profile: str
    names: Mapping[str, str]
    policy_list: bool
    labels: Mapping[str, int] = field(default_factory=lambda: LABELS)


_PLAIN = {"profile": "eat_profile", "iat": "iat", "exp": "exp", "submods": "submods", "nonce": "eat_nonce"}
DRAFT = Dialect(
    "draft",
    "tag:ietf.org,2026:rats/ear#03",
    MappingProxyType(
        {
            **_PLAIN,
            "status": "ear_status",
            "vector": "ear_trustworthiness_vector",
            "policy": "ear_appraisal_policy_ids",
            "verifier": "ear_verifier_id",
            "evidence": "ear_raw_evidence",
            "annotated": "ear_veraison_annotated_evidence",
            "policy_claims": "ear_veraison_policy_claims",
        }
    ),
    policy_list=True,
)
VERAISON = Dialect(
    "veraison",
    "tag:github.com,2023:veraison/ear",
    MappingProxyType(
        {
            **_PLAIN,
            "status": "ear.status",
            "vector": "ear.trustworthiness-vector",
            "policy": "ear.appraisal-policy-id",
            "verifier": "ear.verifier-id",
            "evidence": "ear.raw-evidence",
            "annotated": "ear.veraison.annotated-evidence",
            "policy_claims": "ear.veraison.policy-claims",
        }
    ),
    policy_list=False,
)
DRAFT_04 = replace(
    DRAFT,
    profile="tag:ietf.org,2026:rats/ear#04",
    names=MappingProxyType({**DRAFT.names, "annotated": "ear_attester_claims", "policy_claims": "ear_verifier_claims"}),
    labels=MappingProxyType({**LABELS, "annotated": 1005, "policy_claims": 1006}),
)
DIALECTS: Mapping[str, Dialect] = MappingProxyType({"draft": DRAFT, "veraison": VERAISON})
PROFILES: Mapping[str, Dialect] = MappingProxyType(
    {
        DRAFT.profile: DRAFT,
        DRAFT_04.profile: DRAFT_04,
        VERAISON.profile: VERAISON,
        "tag:github.com,2024:confidential-containers/Trustee": VERAISON,
    }
)
"""Profiles that can be read, and whose names they use."""


@dataclass(frozen=True)
class Submodule:
    """One appraisal: `status`, `vector` by category (-128 to 127), policies, and the claims that go with it."""

    status: Tier
    vector: Mapping[str, int] = field(default_factory=dict)
    policies: tuple[str, ...] = ()
    annotated: Mapping[str, Any] = field(default_factory=dict)
    policy_claims: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Ear:
    """An attestation result. Times are seconds since 1970 UTC; `nonce` the challenge's bytes, 8 to 64, if any."""

    iat: int
    developer: str
    build: str
    submods: Mapping[str, Submodule]
    exp: int | None = None
    nonce: bytes | None = None
    profile: str = DRAFT.profile

    @property
    def status(self) -> Tier:
        """The worst of its submodules'."""
        return worst(submodule.status for submodule in self.submods.values())


def to_json(ear: Ear, dialect: Dialect = DRAFT) -> Claims:
    """The claims set as JSON values."""
    names = dialect.names
    claims: Claims = {names["profile"]: dialect.profile, names["iat"]: ear.iat}
    if ear.exp is not None:
        claims[names["exp"]] = ear.exp
    claims[names["verifier"]] = {"developer": ear.developer, "build": ear.build}
    if ear.nonce is not None:
        claims[names["nonce"]] = base64.urlsafe_b64encode(ear.nonce).rstrip(b"=").decode("ascii")
    claims[names["submods"]] = {
        name: {
            names["status"]: submodule.status.word,
            **({names["vector"]: dict(submodule.vector)} if submodule.vector else {}),
            **_further(submodule, names, dialect),
        }
        for name, submodule in ear.submods.items()
    }
    return claims


def to_cbor(ear: Ear, dialect: Dialect = DRAFT) -> Claims:
    """The claims set as a CBOR map with integer labels."""
    labels = dialect.labels
    claims: Claims = {labels["profile"]: dialect.profile, labels["iat"]: ear.iat}
    if ear.exp is not None:
        claims[labels["exp"]] = ear.exp
    claims[labels["verifier"]] = {0: ear.developer, 1: ear.build}
    if ear.nonce is not None:
        claims[labels["nonce"]] = ear.nonce
    claims[labels["submods"]] = {
        name: {
            labels["status"]: submodule.status.value,
            **(
                {labels["vector"]: {CATEGORIES.index(key): value for key, value in submodule.vector.items()}}
                if submodule.vector
                else {}
            ),
            **_further(submodule, labels, dialect),
        }
        for name, submodule in ear.submods.items()
    }
    return claims


def _further(submodule: Submodule, names: Mapping[str, Any], dialect: Dialect) -> Claims:
    claims: Claims = {}
    if submodule.policies:
        claims[names["policy"]] = list(submodule.policies) if dialect.policy_list else submodule.policies[0]
    if submodule.annotated:
        claims[names["annotated"]] = dict(submodule.annotated)
    if submodule.policy_claims:
        claims[names["policy_claims"]] = dict(submodule.policy_claims)
    return claims
