# SPDX-License-Identifier: AGPL-3.0-or-later
"""The part of ``affidavit recheck`` that executes again on ciphertexts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from affidavit.cli import files
from affidavit.cli.render import counted
from affidavit.cli.terminal import Console
from circuits import Circuit
from verifier import Affidavit, Verdict

if TYPE_CHECKING:
    from node.encrypted_recheck import EncryptedFinding

CODE = "recheck.encrypted.mismatch"


def execute_again(
    affidavit: Affidavit, circuit: Circuit, request: Path | None, keys: Path | None, seed: str | None
) -> EncryptedFinding:
    """Read what the user names, evaluate in sandboxed processes, compare.

    Raises:
        verifier.VerifierError, fhe.FheError: as :func:`node.encrypted_recheck.recheck_encrypted`.
    """
    from fhe.limits import MAX_BUNDLE_BYTES, MAX_KEY_BYTES
    from fhe.pool import EvaluationPool
    from node.encrypted_recheck import recheck_encrypted

    with EvaluationPool() as pool:
        return recheck_encrypted(
            affidavit,
            circuit,
            pool,
            request=files.read_bytes(request, limit=MAX_BUNDLE_BYTES) if request else None,
            keys=files.read_bytes(keys, limit=MAX_KEY_BYTES) if keys else None,
            seed=files.parse_hex32(seed, "--seed") if seed else None,
        )


def print_finding(console: Console, finding: EncryptedFinding, signer: str | None, *, as_json: bool) -> Verdict:
    """What was found; its verdict."""
    verdict = Verdict.ACCEPT if finding.agrees else Verdict.REJECT
    if as_json:
        console.print_json(
            data={
                "verdict": verdict.value,
                "exit_code": verdict.exit_code,
                "code": "" if finding.agrees else CODE,
                "agrees": finding.agrees,
                "encrypted": True,
                "gates": finding.gates,
                "answer": finding.answer.hex(),
                "trace": finding.root.hex(),
                "signer": signer,
            }
        )
    elif finding.agrees:
        said = (
            f"executing {counted(finding.gates, 'gate')} again on the ciphertexts gives the signed answer, bit for bit"
        )
        console.print(f"[green]PASS[/] {said}", highlight=False)
    else:
        said = "executing again on the ciphertexts gives another answer than the signed one"
        console.print(f"[bold red]FAIL[/] {CODE}: {said}", highlight=False)
    return verdict
