# SPDX-License-Identifier: AGPL-3.0-or-later
"""Reading reference integrity manifests (RIMs): SWID tags in XML, with an enveloped signature.

Sources: ISO/IEC 19770-2:2015 and NISTIR 8060 (SWID); TCG, "Reference Integrity Manifest Information Model" 1.01; W3C,
"XML Signature Syntax and Processing" 1.1.

The grammar is narrower than XML's, before any other parser sees the bytes: UTF-8 without zeros; no document type,
entity, comment, CDATA section or processing instruction; bounded size, depth and number of elements. The document's one
signature is the last child of the root and has one reference, to the whole document, with exactly the transforms
"enveloped signature" and a canonicalisation. So there is no second place for a signature, nor a part that it does not
cover.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn
from xml.etree import ElementTree

from attestation.errors import MalformedError

PREFIX = "evidence.nvidia.rim"

MAX_RIM = 256 << 10
"""Bytes of one document; real ones have 20 to 30 kB."""
MAX_DEPTH = 12
MAX_ELEMENTS = 2048
MAX_RESOURCES = 255
MAX_ALTERNATIVES = 64
MAX_CERTIFICATES = 5

SWID = "http://standards.iso.org/iso/19770/-2/2015/schema.xsd"
DSIG = "http://www.w3.org/2000/09/xmldsig#"
SHA384 = "http://www.w3.org/2001/04/xmlenc#sha384"
_SIGNATURE = f"{{{DSIG}}}Signature"
_ENVELOPED = f"{DSIG}enveloped-signature"
_CANONICAL = frozenset(
    {
        "http://www.w3.org/TR/2001/REC-xml-c14n-20010315",
        "http://www.w3.org/2006/12/xml-c14n11",
        "http://www.w3.org/2001/10/xml-exc-c14n#",
    }
)
"""Canonicalisations without comments; there are none anyway."""

_DECLARATION = re.compile(rb"\A<\?xml version=(?:'1\.0'|\"1\.0\")(?: encoding=(?:'(?i:utf-8)'|\"(?i:utf-8)\"))?\s*\?>")
_HASH = re.compile(r"(?:[0-9a-fA-F]{64}|[0-9a-fA-F]{96}|[0-9a-fA-F]{128})\Z")
_NUMBER = re.compile(r"(?:0|[1-9][0-9]{0,3})\Z")


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a RIM says: `version` of driver or firmware, `edition` (`GPU`, `SWITCH`), `product` (`GH100`) and, by
    measurement index from 0, the allowed digests of the active measurements."""

    version: str
    edition: str
    product: str
    golden: Mapping[int, frozenset[bytes]]

    def misfit(self, measured: Mapping[int, bytes]) -> int:
        """How many of the golden measurements differ from what was measured."""
        return sum(measured.get(index) not in allowed for index, allowed in self.golden.items())


@dataclass(frozen=True, slots=True)
class Signed:
    """A document that has passed the grammar: nothing in it is believed yet. `certificates` are DER, signer first."""

    data: bytes
    certificates: tuple[bytes, ...]
    claimed: Manifest


class _Bounded(ElementTree.TreeBuilder):
    """Builds a tree of bounded depth and size."""

    def __init__(self) -> None:
        super().__init__()
        self._depth = 0
        self._count = 0

    def start(self, tag: Any, attrs: Any) -> Any:
        self._depth += 1
        self._count += 1
        if self._depth > MAX_DEPTH or self._count > MAX_ELEMENTS:
            _refuse(f"deeper than {MAX_DEPTH} or more than {MAX_ELEMENTS} elements")
        return super().start(tag, attrs)

    def end(self, tag: str) -> Any:
        self._depth -= 1
        return super().end(tag)

    def doctype(self, name: str, pubid: str | None, system: str | None) -> None:
        _refuse("a document type")


def parse_signed(data: bytes) -> Signed:
    """Parse a signed RIM. Raises `MalformedError` with `evidence.nvidia.rim-malformed`."""
    root = _tree(data)
    signature = root[-1] if len(root) else root
    if signature.tag != _SIGNATURE or sum(1 for _ in root.iter(_SIGNATURE)) != 1:
        _refuse("not exactly one signature, at the end of the document")
    return Signed(data, _signer(signature), _manifest(root))


def parse_manifest(data: bytes) -> Manifest:
    """Parse the bytes that a signature was verified over. Raises as `parse_signed` does."""
    root = _tree(data)
    if any(True for _ in root.iter(_SIGNATURE)):
        _refuse("a signature within what was signed")
    return _manifest(root)


def _tree(data: bytes) -> ElementTree.Element:
    if len(data) > MAX_RIM:
        _refuse(f"{len(data)} bytes; at most {MAX_RIM}")
    body = _DECLARATION.sub(b"", data.removeprefix(b"\xef\xbb\xbf"), count=1)
    if b"\0" in body or b"<!" in body or b"<?" in body:
        _refuse("zero, document type, comment, CDATA section or processing instruction")
    try:
        body.decode("utf-8")
        parser = ElementTree.XMLParser(target=_Bounded(), encoding="utf-8")  # noqa: S314  (see the import)
        parser.feed(body)
        root: ElementTree.Element = parser.close()
    except (ValueError, ElementTree.ParseError) as error:
        raise MalformedError(f"{PREFIX}-malformed", f"not XML: {str(error)[:120]}") from None
    if root.tag != f"{{{SWID}}}SoftwareIdentity":
        _refuse(f"a document of another kind: {root.tag[:80]!r}")
    return root


def _children(element: ElementTree.Element, *names: str) -> list[ElementTree.Element]:
    if [child.tag for child in element] != [f"{{{DSIG}}}{name}" for name in names]:
        _refuse(f"{element.tag.rpartition('}')[2]} without exactly {', '.join(names)}")
    return list(element)


def _signer(signature: ElementTree.Element) -> tuple[bytes, ...]:
    info, _value, key_info = _children(signature, "SignedInfo", "SignatureValue", "KeyInfo")
    canonical, _method, reference = _children(info, "CanonicalizationMethod", "SignatureMethod", "Reference")
    transforms, _digest_method, _digest = _children(reference, "Transforms", "DigestMethod", "DigestValue")
    if reference.attrib != {"URI": ""}:
        _refuse("a reference to something else than the whole document")
    applied = [transform.get("Algorithm") for transform in _children(transforms, "Transform", "Transform")]
    if applied[0] != _ENVELOPED or not {applied[1], canonical.get("Algorithm")} <= _CANONICAL:
        _refuse("other transforms than enveloped signature and canonicalisation")
    if any(len(element) for element in (*transforms, canonical)):
        _refuse("a transform with parameters")
    (x509_data,) = _children(key_info, "X509Data")
    if not 1 <= len(x509_data) <= MAX_CERTIFICATES:
        _refuse(f"{len(x509_data)} certificates; 1 to {MAX_CERTIFICATES}")
    entries = _children(x509_data, *["X509Certificate"] * len(x509_data))
    try:
        return tuple(base64.b64decode("".join((entry.text or "").split()), validate=True) for entry in entries)
    except (ValueError, binascii.Error):
        raise MalformedError(f"{PREFIX}-malformed", "a certificate that is not base64") from None


def _manifest(root: ElementTree.Element) -> Manifest:
    metas, payloads = root.findall(f"{{{SWID}}}Meta"), root.findall(f"{{{SWID}}}Payload")
    if len(metas) != 1 or len(payloads) != 1:
        _refuse("not exactly one Meta and one Payload")
    if len(payloads[0]) > MAX_RESOURCES:
        _refuse(f"{len(payloads[0])} resources; at most {MAX_RESOURCES}")
    golden: dict[int, frozenset[bytes]] = {}
    seen: set[int] = set()
    for resource in payloads[0]:
        index, values = _resource(resource)
        if index in seen:
            _refuse(f"measurement {index} twice")
        seen.add(index)
        if values is not None:
            golden[index] = values
    told = [metas[0].get(name, "")[:64] for name in ("colloquialVersion", "edition", "product")]
    if not all(told):
        _refuse("Meta without version, edition or product")
    return Manifest(told[0], told[1], told[2], golden)


def _resource(resource: ElementTree.Element) -> tuple[int, frozenset[bytes] | None]:
    index, size, count = (resource.get(name, "") for name in ("index", "size", "alternatives"))
    if resource.tag != f"{{{SWID}}}Resource" or resource.get("type") != "Measurement":
        _refuse("something else than a measurement in the payload")
    if not all(_NUMBER.match(number) for number in (index, size, count)) or not 1 <= int(count) <= MAX_ALTERNATIVES:
        _refuse("a measurement without index, size or number of alternatives")
    if (active := resource.get("active")) not in ("True", "False"):
        _refuse(f"measurement {index} neither active nor inactive")
    hashes = [resource.get(f"{{{SHA384}}}Hash{number}", "") for number in range(int(count))]
    if not all(_HASH.match(value) and len(value) == 2 * int(size) for value in hashes):
        _refuse(f"measurement {index} without a digest of {size} bytes for each alternative")
    return int(index), frozenset(bytes.fromhex(value) for value in hashes) if active == "True" else None


def _refuse(message: str) -> NoReturn:
    raise MalformedError(f"{PREFIX}-malformed", message)
