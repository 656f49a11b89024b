# SPDX-License-Identifier: AGPL-3.0-or-later
"""Every code of the client SDK with its meaning, one line each. Codes are never renamed.

The SDK also passes on the codes of the node, and those of the verdict.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

CODES: Mapping[str, str] = MappingProxyType(
    {
        "client.answer.not-private": "the affidavit of a sealed request shows content or is not salted",
        "client.answer.other-keys": "the receipt names other keys than those sealed to",
        "client.answer.unsealed": "no sealed answer to a sealed request",
        "client.ca.unusable": "the CA file cannot be used",
        "client.channel-binding.mismatch": "the keys are not signed over this TLS connection: somebody is in between",
        "client.channel-binding.unsupported": "the answer cannot be bound to this connection",
        "client.job.failed": "the job failed and the node gave no code",
        "client.keys.challenge-mismatch": "the node answered another challenge",
        "client.keys.not-allowed": "the node's key is none that the policy lists",
        "client.keys.signature-invalid": "the node did not sign the keys it gave",
        "client.keys.untrusted": "nothing that the policy accepts vouches for the keys",
        "client.known-tpms.unreadable": "the file of known TPMs cannot be read, or is not one",
        "client.known-tpms.unwritable": "the file of known TPMs cannot be written",
        "client.model.mismatch": "the node sent another circuit than was asked for",
        "client.model.unreadable": "the circuit file cannot be read",
        "client.network.failed": "no answer from the node",
        "client.patience.exhausted": "the job did not finish in time; the node keeps it",
        "client.private.closed": "this session's keys are forgotten",
        "client.private.keyfile": "the file with a session's keys cannot be read or written",
        "client.private.seeded": "protected replies are executed again by an auditor who has the seed",
        "client.private.unavailable": "the fhe extra is not installed, or SEAL is of another version",
        "client.private.unreadable": "a verified answer that cannot be read; the session is over",
        "client.response.malformed": "the node's answer is not as its API says",
        "client.response.too-large": "the node sends more than the client takes",
        "client.timeout.malformed": "not a number of seconds, or more than a day",
        "client.tls.untrusted": "the server's certificate is not to be believed, or another host's",
        "client.token.malformed": "not a bearer token",
        "client.upload.mismatch": "the node has other bytes than were sent",
        "client.url.malformed": "not the URL of a node",
    }
)
