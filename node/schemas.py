# SPDX-License-Identifier: AGPL-3.0-or-later
"""The JSON that goes in and out, as pydantic models: what OpenAPI says is what is sent."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Hex16 = Annotated[str, Field(pattern="^[0-9a-f]{32}$", min_length=32, max_length=32)]
Hex32 = Annotated[str, Field(pattern="^[0-9a-f]{64}$", min_length=64, max_length=64)]
Hex64 = Annotated[str, Field(pattern="^[0-9a-f]{128}$", min_length=128, max_length=128)]
Base64 = Annotated[str, Field(pattern="^[A-Za-z0-9+/]*={0,2}$", description="RFC 4648, section 4")]


ChannelBinding = Literal["tls-exporter"]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ErrorBody(_Model):
    """Every answer that is not a success."""

    code: Annotated[str, Field(description="stable, dotted, lower-case")]
    message: Annotated[str, Field(description="what was observed, what was required")]
    remedy: Annotated[str, Field(description="what to do about it; may be empty")]


class LayoutBody(_Model):
    """How a circuit runs on ciphertexts, as client and node agree on it."""

    preset: Annotated[str, Field(min_length=1, max_length=32, description="encryption parameters, by name")]
    packing: Annotated[str, Field(min_length=1, max_length=32)]
    samples: Annotated[int, Field(ge=1, le=65536)]
    protected: Annotated[bool, Field(description="replies are re-randomised and flooded")]
    first: Annotated[int, Field(ge=0, le=65536, description="the circuit's tensor that comes encrypted")]
    last: Annotated[int, Field(ge=0, le=65536, description="the one that goes back encrypted")]
    magnitudes: Annotated[
        list[Annotated[int, Field(ge=1, le=1 << 53)]],
        Field(max_length=16, description="CKKS: what each layer's values stay within; none for the circuit's bounds"),
    ]


class EncryptedBody(_Model):
    """An encrypted input: what was sent ahead, by SHA-256."""

    layout: LayoutBody
    ciphertexts: Annotated[Hex32, Field(description="fhe-ciphertexts@v1")]
    keys: Annotated[Hex32, Field(description="fhe-keys@v1")]


class TensealKeysBody(_Model):
    """What the context has to carry besides its parameters."""

    public: Annotated[bool, Field(description="save_public_key")]
    relin: Annotated[bool, Field(description="save_relin_keys")]
    galois: Annotated[list[int], Field(description="elements of Galois keys, for vectors; see docs/private.md")]


class UploadBody(_Model):
    """Bytes that the node keeps for an hour, for requests to name."""

    sha256: Hex32
    bytes: int


class Submission(BaseModel):
    """A request for one inference, with exactly one of `inputs`, `opening`, `sealed` and `encrypted`.

    Read by `node.submission`, which is stricter than any schema; this is its description.
    """

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "oneOf": [{"required": [name]} for name in ("inputs", "opening", "sealed", "encrypted")],
        },
    )

    model: Annotated[Hex32, Field(description="circuit digest")]
    nonce: Annotated[Hex32, Field(description="drawn by the client, once per request; the idempotency key")]
    policy: Annotated[Hex32, Field(description="SHA-256 of the client's policy file")] = "0" * 64
    inputs: Annotated[
        dict[str, list[Any]],
        Field(description="nested lists of numbers by input name, batch outermost", min_length=1),
    ] = Field(default_factory=dict)
    opening: Annotated[Base64, Field(description="encoded integers without salt (affidavit@v1, section 4)")] = ""
    sealed: Annotated[Base64, Field(description="a sealed-input@v1 box")] = ""
    encrypted: Annotated[
        EncryptedBody | None, Field(description="ciphertexts and evaluation keys, sent to /v1/uploads before")
    ] = None
    embed_circuit: Annotated[bool, Field(description="the affidavit carries the circuit file")] = False
    embed_input: Annotated[bool, Field(description="the affidavit carries the input; not for sealed ones")] = False
    prove: Annotated[bool, Field(description="the affidavit carries a succinct proof; not for sealed ones")] = False
    committed: Annotated[
        bool, Field(description="the proof is for verifiers that hold a commitment to the weights; needs prove")
    ] = False


class JobBody(_Model):
    """State of a request. URLs are relative to the server; `null` while there is nothing behind them."""

    id: Hex16
    state: Literal["queued", "running", "done", "failed"]
    model: Hex32
    nonce: Hex32
    received_at: Annotated[str, Field(description="RFC 3339, the node's clock")]
    finished_at: str | None
    error: Annotated[ErrorBody | None, Field(description="why the job failed")]
    status_url: str
    affidavit_url: str | None
    sealed_answer_url: str | None


class EvidenceBody(_Model):
    """One piece of evidence: its format and its native parts, base64 by member name."""

    type: str
    members: dict[str, Base64]


class KeysBody(_Model):
    """The node's public keys, and what vouches for them over the caller's challenge (sealed@v1, section 4)."""

    signing: Annotated[Hex32, Field(description="Ed25519")]
    sealing: Annotated[Hex32, Field(description="X25519")]
    challenge: Hex32
    signature: Annotated[Hex64, Field(description="Ed25519 over the keys message")]
    evidence: list[EvidenceBody]
    channel_binding: Annotated[
        ChannelBinding | None, Field(description="signature and evidence are over this TLS connection too (channel@v1)")
    ]


class PortBody(_Model):
    """One input or output: real value = integer * scale; an input is accepted in [low, high] only."""

    name: str
    shape: Annotated[list[int], Field(description="per sample; the batch is one more axis in front")]
    dtype: str
    scale: float
    low: float
    high: float


class ModelBody(_Model):
    """A model that this node runs."""

    digest: Annotated[Hex32, Field(description="circuit digest: what requests and affidavits name")]
    weights: Hex32
    file: Annotated[Hex32, Field(description="SHA-256 of the circuit file")]
    name: str
    profile: str
    size: Annotated[int, Field(description="bytes of the circuit file")]
    inputs: list[PortBody]
    outputs: list[PortBody]


class TensealPlanBody(_Model):
    """How to ask a model with TenSEAL. Integers are the model's: real value = integer * its port's scale."""

    model: Hex32
    layout: Annotated[LayoutBody, Field(description="for the submission, unchanged")]
    interface: Annotated[Hex32, Field(description="what the receipt must name")]
    scheme: Literal["bfv", "ckks"]
    poly_modulus_degree: int
    coeff_mod_bit_sizes: list[int]
    plain_modulus: Annotated[int, Field(description="BFV; 0 in CKKS")]
    global_scale: Annotated[float, Field(description="CKKS; 1 in BFV")]
    object: Annotated[
        Literal["bfv_tensor", "ckks_tensor", "ckks_vector"], Field(description="by its constructor; batch=True")
    ]
    samples: int
    inputs: Annotated[int, Field(description="elements per sample; a tensor is [samples, inputs]")]
    outputs: int
    range: Annotated[list[int], Field(min_length=2, max_length=2, description="integers that may be encrypted")]
    unit: Annotated[float, Field(description="integers are multiplied by this before they are encrypted")]
    places: Annotated[list[int], Field(description="vectors: the element in each slot, -1 for zero; else empty")]
    slots: int
    answer_unit: Annotated[float, Field(description="decrypted values are multiplied by this")]
    answer_places: Annotated[list[int], Field(description="vectors: where each output is; else empty")]
    error: Annotated[float, Field(description="largest expected, in integers; 0 where the answer is exact")]
    keys: TensealKeysBody
    input: PortBody | None
    output: PortBody | None
    node_cpu_ms: float
    statistical_distance_bits: Annotated[float | None, Field(description="of one protected reply")]
    replies_until: Annotated[int | None, Field(description="protected replies that add up to a distance of 2^-20")]


class ModelsBody(_Model):
    """All models, by digest."""

    models: list[ModelBody]


class HealthBody(_Model):
    """The service answers, and so does its database."""

    status: Literal["ok"]
    evidence: Annotated[str, Field(description="where the node's evidence comes from, for people")]
    simulated: Annotated[bool, Field(description="whether that evidence is simulated and so proves nothing")]
    pending: Annotated[int, Field(description="jobs that wait or run")]
    queue: Annotated[int, Field(description="how many may")]
    channel_bindings: Annotated[
        list[ChannelBinding], Field(description="what `/v1/keys` can bind to over the connection of this request")
    ]
