# SPDX-License-Identifier: AGPL-3.0-or-later
"""Certificates of the keys that sign reports: VCEK (of one chip) and VLEK (lent to a cloud), with AMD's extensions.

::

    1.3.6.1.4.1.3704.1.1      structVersion    INTEGER
    1.3.6.1.4.1.3704.1.2      productName      IA5String    Milan-B0, Genoa, ...
    1.3.6.1.4.1.3704.1.3.n    patch level n    INTEGER      the TCB version that the key was derived for
    1.3.6.1.4.1.3704.1.4      hwID             the chip's id, as it is or in an OCTET STRING   (VCEK)
    1.3.6.1.4.1.3704.1.5      cspID            IA5String                                       (VLEK)

Source: AMD 57230 (VCEK certificate and KDS interface), chapter 3.
"""

from __future__ import annotations

from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from attestation.errors import UnsupportedError
from attestation.pki.certificate import READ_ERRORS
from attestation.snp.products import Product, from_name
from attestation.snp.tcb import Tcb

PREFIX = "evidence.snp.vek"
ARC = "1.3.6.1.4.1.3704.1"
KINDS = {"SEV-VCEK": "vcek", "SEV-VLEK": "vlek"}
_LEVELS = {
    "bootloader": 1,
    "tee": 2,
    "snp": 3,
    "spl4": 4,
    "spl5": 5,
    "spl6": 6,
    "spl7": 7,
    "microcode": 8,
    "fmc": 9,
}
_MAX_TEXT = 128


@dataclass(frozen=True, slots=True)
class Vek:
    """A versioned endorsement key's certificate: `kind` is `vcek` or `vlek`, `hwid` a VCEK's, `csp_id` a VLEK's."""

    certificate: x509.Certificate
    kind: str
    product: Product
    tcb: Tcb
    key: ec.EllipticCurvePublicKey
    hwid: bytes = b""
    csp_id: str = ""

    def issuer_name(self) -> str:
        """The common name that its issuer has: `SEV-Milan`, `SEV-VLEK-Milan`, ..."""
        return f"SEV-{'VLEK-' if self.kind == 'vlek' else ''}{self.product.name}"


def common_name(name: x509.Name) -> str:
    """The common name, or nothing where there is not exactly one."""
    found = name.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(found[0].value) if len(found) == 1 else ""


def is_vek(certificate: x509.Certificate) -> bool:
    """Is it a VCEK or VLEK, by its subject?"""
    return common_name(certificate.subject) in KINDS


def read_vek(certificate: x509.Certificate) -> Vek:
    """Read AMD's extensions.

    Raises `UnsupportedError` with `evidence.snp.vek-unsupported` for a certificate that has not what AMD's have, and
    `evidence.snp.product-unknown`.
    """
    kind = KINDS.get(common_name(certificate.subject))
    if kind is None:
        raise _unsupported("the subject is neither SEV-VCEK nor SEV-VLEK")
    extensions = {
        extension.oid.dotted_string.removeprefix(ARC + "."): extension.value.value
        for extension in certificate.extensions
        if isinstance(extension.value, x509.UnrecognizedExtension)
    }
    product = from_name(_text(extensions.get("2"), "product name"))
    levels = [_level(extensions.get(f"3.{_LEVELS[name]}"), name) for name in product.components]
    try:
        key = certificate.public_key()
    except READ_ERRORS as error:
        raise _unsupported(f"its key cannot be read: {str(error)[:80]}") from None
    if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name != "secp384r1":
        raise _unsupported("its key is not on P-384")
    tcb = Tcb(bytes(levels), product)
    if kind == "vlek":
        return Vek(certificate, kind, product, tcb, key, csp_id=_text(extensions.get("5"), "CSP id"))
    return Vek(certificate, kind, product, tcb, key, hwid=_hwid(extensions.get("4"), product))


def _level(value: bytes | None, name: str) -> int:
    """A DER INTEGER from 0 to 255."""
    if value is not None and len(value) in (3, 4) and value[0] == 2 and value[1] == len(value) - 2:
        level = int.from_bytes(value[2:], "big")
        if level <= 0xFF and (len(value) == 4) == (level > 0x7F):
            return level
    raise _unsupported(f"no patch level of {name} between 0 and 255")


def _text(value: bytes | None, what: str) -> str:
    """A DER IA5String of printable characters."""
    if value is not None and 3 <= len(value) <= _MAX_TEXT and value[0] == 0x16 and value[1] == len(value) - 2:
        text = value[2:].decode("latin-1")
        if text.isascii() and text.isprintable():
            return text
    raise _unsupported(f"no {what}")


def _hwid(value: bytes | None, product: Product) -> bytes:
    size = product.hwid_size
    if value is not None:
        # Older certificates have the bare octets where DER is due. A bare id is never two octets longer.
        hwid = value[2:] if value[:2] == bytes((4, size)) and len(value) == size + 2 else value
        if len(hwid) == size:
            return hwid
    raise _unsupported(f"no hardware id of {size} octets")


def _unsupported(message: str) -> UnsupportedError:
    return UnsupportedError(
        f"{PREFIX}-unsupported",
        f"not a VCEK or VLEK certificate of AMD: {message}",
        remedy="give the certificate that AMD's key distribution service issues for this chip and TCB",
    )
