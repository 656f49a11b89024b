# SPDX-License-Identifier: AGPL-3.0-or-later
"""The bearer token (RFC 6750), compared in constant time."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass

from verifier.errors import OperationalError
from verifier.service.errors import Refusal

MIN_CHARACTERS = 16


@dataclass(frozen=True)
class Gatekeeper:
    """Lets pass whoever shows the token whose SHA-256 is ``digest``; everybody when that is ``None``."""

    digest: bytes | None

    @property
    def open(self) -> bool:
        """Whether everybody may pass."""
        return self.digest is None

    @classmethod
    def of(cls, token: str | None) -> Gatekeeper:
        """Raises ``OperationalError`` (``service.settings.malformed``) for a token too short to be secret."""
        if token is None:
            return cls(None)
        if len(token) < MIN_CHARACTERS or not token.isascii() or not token.isprintable() or " " in token:
            raise OperationalError(
                "service.settings.malformed",
                f"the token must have {MIN_CHARACTERS} or more visible ASCII characters",
                remedy="for instance: openssl rand -hex 32",
            )
        return cls(hashlib.sha256(token.encode()).digest())

    def check(self, shown: str | None) -> None:
        """Raises ``service.unauthorized`` (401) unless ``shown`` is the token."""
        if self.digest is None:
            return
        offered = hashlib.sha256((shown or "").encode("utf-8", "surrogatepass")).digest()
        if not hmac.compare_digest(offered, self.digest):
            raise Refusal(
                401,
                "service.unauthorized",
                "this needs the service's token",
                remedy="send it as Authorization: Bearer TOKEN",
                headers={"WWW-Authenticate": "Bearer"},
            )
