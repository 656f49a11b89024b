# SPDX-License-Identifier: AGPL-3.0-or-later
"""Private inference from the client's side: the node computes on ciphertexts and never sees input or answer.

::

    with Client(url, policy=policy) as node:
        session = PrivateSession(circuit)  # keys of this session, in this object alone
        answer = session.infer(node, {"image": image})  # encrypt, send, verify, and only then decrypt
        print(answer.outputs["logits"])

=========  ====================================================================
module     holds
=========  ====================================================================
session    ``PrivateSession``: keys, encryption, verification, decryption
question   ``PrivateQuestion``, ``PrivateAnswer``, and a node as a private client needs it
advice     which part of a circuit runs on ciphertexts, why the rest does not, and what it takes
partial    the part of a circuit that the client computes by itself, in clear
=========  ====================================================================

What a node learns from the way a client behaves it can use against the client's key: so nothing is decrypted that was
not verified, and what cannot be read ends the session and is told to nobody (docs/privacy.md).
"""

from __future__ import annotations

from affidavit.private.question import PrivateAnswer, PrivateQuestion
from affidavit.private.session import PrivateSession

__all__ = ["PrivateAnswer", "PrivateQuestion", "PrivateSession"]
