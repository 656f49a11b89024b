# SPDX-License-Identifier: AGPL-3.0-or-later
"""A TPM 2.0 reached through tpm2-pytss: a kernel device or a software TPM's socket.

Makes no persistent object unless asked, and flushes every handle that it opened. EK and AK are primary keys
made from fixed templates, so that the same TPM gives the same keys each time, until it is cleared.
tpm2-pytss is imported when a device is opened, never before.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from attestation.errors import OperationalError, UnsupportedError
from attestation.pki.certificate import MAX_CERTIFICATE
from attestation.tpm2 import algorithms as alg
from attestation.tpm2.attest import Selection, encode_selections, parse_attest
from attestation.tpm2.certificates import der_length
from attestation.tpm2.credential import Credential
from attestation.tpm2.pcrs import encode_pcrs, pcr_digest
from attestation.tpm2.presence import DEVICE, INSTALL_REMEDY, device_problem, library_problem
from attestation.tpm2.public import Public, parse_public
from attestation.tpm2.signature import parse_signature
from attestation.tpm2.templates import AK_TEMPLATES, EK_CERTIFICATE_INDEX, EK_TEMPLATES, template
from attestation.wire import sized

DEVICE_TCTI = f"device:{DEVICE}"
"""The kernel's TPM, through its resource manager."""

PCR_COUNT = 24
"""What PC-class TPMs have."""

_NV_CHUNK = 512
_QUOTE_ATTEMPTS = 5
"""A PCR may be extended between quote and read; when more retries fail, somebody extends all the time."""


@dataclass(frozen=True, slots=True)
class Key:
    """A loaded key: its handle in the open connection, TPMT_PUBLIC bytes and parsed form."""

    handle: Any
    public_bytes: bytes
    public: Public


@dataclass(frozen=True, slots=True)
class Quote:
    """The members `attest`, `signature` and `pcrs` of tpm2-quote@v1."""

    attest: bytes
    signature: bytes
    pcrs: bytes


class TpmDevice:
    """An open connection to a TPM. A context manager; not for use by two threads at a time."""

    def __init__(self, tcti: str = DEVICE_TCTI) -> None:
        """Open by TCTI, for instance `device:/dev/tpmrm0` or `swtpm:path=/tmp/x/tpm`.

        Raises `UnsupportedError` with `evidence.tpm2.library-absent`, `OperationalError` with
        `evidence.tpm2.device-unavailable`.
        """
        problem = library_problem()
        if problem:
            raise UnsupportedError("evidence.tpm2.library-absent", problem, remedy=INSTALL_REMEDY)
        name, _, configuration = tcti.partition(":")
        if name == "device":
            # The library would write its own complaints to standard error.
            problem = device_problem(Path(configuration or DEVICE))
            if problem:
                raise OperationalError("evidence.tpm2.device-unavailable", problem)
        self._tss: Any = importlib.import_module("tpm2_pytss")
        self._open: list[Any] = []
        try:
            self._tcti = self._tss.TCTILdr(name, configuration or None)
            self._esys = self._tss.ESAPI(self._tcti)
        except self._tss.TSS2_Exception as error:
            raise OperationalError("evidence.tpm2.device-unavailable", f"cannot open TPM {tcti!r}: {error}") from None

    def __enter__(self) -> TpmDevice:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Flush what was opened and end the connection; further calls do nothing."""
        for handle in reversed(self._open):
            try:
                self._esys.flush_context(handle)
            except self._tss.TSS2_Exception:
                continue  # the connection may be gone; close the rest
        self._open.clear()
        if not self._esys.is_closed:
            self._esys.close()
            self._tcti.close()

    def call(self, what: str, function: Any, *arguments: Any, **options: Any) -> Any:
        """Call an ESAPI function, turning the library's errors into `evidence.tpm2.device-failed`."""
        try:
            return function(*arguments, **options)
        except self._tss.TSS2_Exception as error:
            raise OperationalError("evidence.tpm2.device-failed", f"TPM refuses to {what}: {error}") from None

    @property
    def esys(self) -> Any:
        """The ESAPI context, for what this class does not offer."""
        return self._esys

    @property
    def tss(self) -> Any:
        """The tpm2_pytss module."""
        return self._tss

    def create_primary(self, hierarchy: str, wanted: Public) -> Key:
        """Make a primary key from a template in hierarchy `owner` or `endorsement`."""
        tr = self._tss.ESYS_TR.OWNER if hierarchy == "owner" else self._tss.ESYS_TR.ENDORSEMENT
        area, _ = self._tss.TPM2B_PUBLIC.unmarshal(sized(wanted.encode()))
        handle, public, *_ = self.call(
            "create a key",
            self._esys.create_primary,
            self._tss.TPM2B_SENSITIVE_CREATE(),
            area,
            primary_handle=tr,
        )
        self._open.append(handle)
        encoded = bytes(public.publicArea.marshal())
        return Key(handle, encoded, parse_public(encoded))

    def create_ek(self, kind: str = "rsa-2048") -> Key:
        """The endorsement key of a default template: `rsa-2048` (L-1) or `ecc-p256` (L-2)."""
        return self.create_primary("endorsement", template(EK_TEMPLATES, kind))

    def create_ak(self, kind: str = "ecc-p256") -> Key:
        """The attestation key: restricted signing, under the owner hierarchy; `ecc-p256` or `rsa-2048`."""
        return self.create_primary("owner", template(AK_TEMPLATES, kind))

    def persist(self, key: Key, handle: int) -> None:
        """Keep a key in the TPM at a persistent handle (0x81000000 to 0x817fffff, owner authorisation)."""
        self.call("make a key persistent", self._esys.evict_control, self._tss.ESYS_TR.OWNER, key.handle, handle)

    def flush(self, key: Key) -> None:
        """Unload a key."""
        self._open.remove(key.handle)
        self.call("unload a key", self._esys.flush_context, key.handle)

    def read_ek_certificate(self, kind: str = "rsa-2048") -> bytes | None:
        """The maker's EK certificate (DER) from the TPM's NV memory, or None when there is none."""
        template(EK_TEMPLATES, kind)
        index = EK_CERTIFICATE_INDEX[kind]
        if index not in self._nv_indices():
            return None
        nv = self.call("open the EK certificate", self._esys.tr_from_tpmpublic, index)
        public, _ = self.call("read the EK certificate", self._esys.nv_read_public, nv)
        size = min(int(public.nvPublic.dataSize), MAX_CERTIFICATE)
        data = b""
        while len(data) < size:
            part = self.call(
                "read the EK certificate",
                self._esys.nv_read,
                nv,
                min(_NV_CHUNK, size - len(data)),
                len(data),
                auth_handle=nv,
            )
            data += bytes(part)
        # Makers may reserve more room than the certificate fills.
        return data[: der_length(data)]

    def _nv_indices(self) -> frozenset[int]:
        constants = self._tss
        _, data = self.call(
            "list its NV indices",
            self._esys.get_capability,
            constants.TPM2_CAP.HANDLES,
            0x01C00000,
            constants.lib.TPM2_MAX_CAP_HANDLES,
        )
        return frozenset(int(handle) for handle in data.data.handles)

    def banks(self) -> dict[str, tuple[int, ...]]:
        """The active PCR banks with a known hash, and the PCRs in each."""
        _, data = self.call("list its PCR banks", self._esys.get_capability, self._tss.TPM2_CAP.PCRS, 0, 16)
        found: dict[str, tuple[int, ...]] = {}
        for selection in data.data.assignedPCR:
            bitmap = bytes(selection.pcrSelect)[: int(selection.sizeofSelect)]
            name = alg.HASH_NAMES.get(int(selection.hash))
            indices = Selection(name or "", bitmap).indices
            if name and indices:
                found[name] = indices
        return found

    def read_pcrs(self, wanted: Mapping[str, Iterable[int]]) -> dict[tuple[str, int], bytes]:
        """Values of the wanted PCRs by (bank, index). Raises `OperationalError` when one is not there."""
        values: dict[tuple[str, int], bytes] = {}
        left = {(bank, index) for bank, indices in wanted.items() for index in indices}
        while left:
            selections = _selections(left)
            area, _ = self._tss.TPML_PCR_SELECTION.unmarshal(encode_selections(selections))
            _, answered, digests = self.call("read PCRs", self._esys.pcr_read, area)
            read = [
                (alg.HASH_NAMES[int(item.hash)], index)
                for item in answered
                for index in Selection("", bytes(item.pcrSelect)[: int(item.sizeofSelect)]).indices
            ]
            if not read:
                bank, index = min(left)
                raise OperationalError("evidence.tpm2.pcr-absent", f"the TPM has no {bank} PCR {index}")
            values.update(zip(read, (bytes(value) for value in digests), strict=True))
            left -= set(read)
        return values

    def quote(self, ak: Key, challenge: bytes, wanted: Mapping[str, Iterable[int]]) -> Quote:
        """Quote PCRs (bank -> indices) over `challenge`, with the values that the quote digests."""
        chosen = {(bank, index) for bank, indices in wanted.items() for index in indices}
        area, _ = self._tss.TPML_PCR_SELECTION.unmarshal(encode_selections(_selections(chosen)))
        scheme = self._tss.TPMT_SIG_SCHEME(scheme=self._tss.TPM2_ALG.NULL)
        data = self._tss.TPM2B_DATA(challenge)
        for _ in range(_QUOTE_ATTEMPTS):
            attested, signed = self.call("quote", self._esys.quote, ak.handle, area, data, scheme)
            attest, signature = bytes(attested), bytes(signed.marshal())
            values = self.read_pcrs(wanted)
            info = parse_attest(attest).quote
            if info is None:
                raise OperationalError("evidence.tpm2.device-failed", "the TPM's quote is no quote")
            hash_name = parse_signature(signature).hash
            if pcr_digest(values, info.selected(), hash_name) == info.pcr_digest:
                return Quote(attest, signature, encode_pcrs(values))
        raise OperationalError(
            "evidence.tpm2.pcr-race",
            f"PCRs changed during each of {_QUOTE_ATTEMPTS} quotes",
            remedy="quote fewer PCRs: leave out those that the running system extends, such as PCR 10",
        )

    def activate(self, ak: Key, ek: Key, credential: Credential) -> bytes:
        """Recover the secret in `credential`: TPM2_ActivateCredential, EK authorised by PolicySecret."""
        tss, esys = self._tss, self._esys
        blob, _ = tss.TPM2B_ID_OBJECT.unmarshal(credential.blob)
        secret, _ = tss.TPM2B_ENCRYPTED_SECRET.unmarshal(credential.encrypted_secret)
        none = tss.ESYS_TR.NONE
        session = self.call(
            "open a session",
            esys.start_auth_session,
            none,
            none,
            tss.TPM2_SE.POLICY,
            tss.TPMT_SYM_DEF(algorithm=tss.TPM2_ALG.NULL),
            alg.HASH_IDS[ek.public.name_hash],
        )
        try:
            self.call("authorise the EK", esys.policy_secret, tss.ESYS_TR.ENDORSEMENT, session)
            found = self.call(
                "activate a credential",
                esys.activate_credential,
                ak.handle,
                ek.handle,
                blob,
                secret,
                session1=tss.ESYS_TR.PASSWORD,
                session2=session,
            )
        finally:
            self.call("close a session", esys.flush_context, session)
        return bytes(found)


def _selections(chosen: Iterable[tuple[str, int]]) -> tuple[Selection, ...]:
    banks: dict[str, int] = {}
    for bank, index in chosen:
        if bank not in alg.HASH_IDS or not 0 <= index < PCR_COUNT:
            raise OperationalError("evidence.tpm2.pcr-absent", f"no TPM has a {bank} PCR {index}")
        banks[bank] = banks.get(bank, 0) | 1 << index
    return tuple(
        Selection(bank, banks[bank].to_bytes(PCR_COUNT // 8, "little")) for bank in alg.HASH_IDS if bank in banks
    )
