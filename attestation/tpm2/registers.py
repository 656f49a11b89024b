# SPDX-License-Identifier: AGPL-3.0-or-later
"""Checks on the quoted PCRs: the values presented, their digest, banks, reference values."""

from __future__ import annotations

import hmac

from attestation.contract import Check
from attestation.tpm2.attest import QuoteInfo
from attestation.tpm2.pcrs import Pcrs, pcr_digest
from attestation.tpm2.trust import Tpm2Trust

ID = "evidence.tpm2"


def check_registers(quote: QuoteInfo, values: Pcrs, hash_name: str, trust: Tpm2Trust) -> list[Check]:
    """All PCR checks; `hash_name` is the signing scheme's, with which the TPM digests the values."""
    selected = quote.selected()
    same = set(selected) == set(values)
    checks = [
        Check(
            f"{ID}.pcr-selection",
            "PASS" if same else "FAIL",
            f"values of {describe(tuple(values))}",
            f"values of {describe(selected)}, as quoted",
            "" if same else f"{ID}.pcr-selection-mismatch",
        )
    ]
    if same:
        computed = pcr_digest(values, selected, hash_name)
        equal = hmac.compare_digest(computed, quote.pcr_digest)
        checks.append(
            Check(
                f"{ID}.pcr-digest",
                "PASS" if equal else "FAIL",
                computed.hex(),
                f"{quote.pcr_digest.hex()} as signed",
                "" if equal else f"{ID}.pcr-digest-mismatch",
            )
        )
    else:
        code = f"{ID}.pcr-selection-mismatch"
        checks.append(Check(f"{ID}.pcr-digest", "SKIP", "other values", "the quoted values", code))
    strong = sorted({bank for bank, _ in selected} & trust.banks)
    checks.append(
        Check(
            f"{ID}.pcr-bank",
            "PASS" if strong else "FAIL",
            ", ".join(sorted({bank for bank, _ in selected})) or "no PCR quoted",
            f"at least one of {', '.join(sorted(trust.banks))}",
            "" if strong else f"{ID}.pcr-bank-weak",
        )
    )
    return [*checks, _required(selected, trust), _references(selected, values, trust)]


def _required(selected: tuple[tuple[str, int], ...], trust: Tpm2Trust) -> Check:
    quoted = {index for bank, index in selected if bank in trust.banks}
    missing = sorted(trust.required_pcrs - quoted)
    wanted = ", ".join(map(str, sorted(trust.required_pcrs))) or "none in particular"
    return Check(
        f"{ID}.pcr-required",
        "SKIP" if missing else "PASS",
        f"not quoted: {', '.join(map(str, missing))}" if missing else describe(selected),
        f"PCRs {wanted}",
        f"{ID}.pcr-unquoted" if missing else "",
    )


def _references(selected: tuple[tuple[str, int], ...], values: Pcrs, trust: Tpm2Trust) -> Check:
    check = f"{ID}.pcr-reference"
    if not trust.reference_pcrs:
        return Check(
            check,
            "SKIP",
            describe(selected),
            "no reference values given",
            f"{ID}.pcr-no-reference",
            demanded=False,
        )
    listed = describe(tuple(sorted(trust.reference_pcrs)))
    quoted = {key: values[key] for key in selected if key in values}
    wrong = [key for key, allowed in trust.reference_pcrs.items() if key in quoted and quoted[key] not in allowed]
    if wrong:
        bank, index = min(wrong)
        allowed = sorted(value.hex() for value in trust.reference_pcrs[bank, index])
        return Check(
            check,
            "FAIL",
            f"{bank} PCR {index} is {quoted[bank, index].hex()}",
            f"{allowed[0]}" + (f" or {len(allowed) - 1} others" if len(allowed) > 1 else ""),
            f"{ID}.pcr-value-unexpected",
        )
    absent = tuple(sorted(key for key in trust.reference_pcrs if key not in quoted))
    if absent:
        return Check(check, "SKIP", f"not quoted: {describe(absent)}", listed, f"{ID}.pcr-unquoted")
    return Check(check, "PASS", f"{listed} as expected", f"reference values of {listed}")


def describe(keys: tuple[tuple[str, int], ...]) -> str:
    """For instance `sha1:0-7 sha256:0-7,14`."""
    banks: dict[str, list[int]] = {}
    for bank, index in keys:
        banks.setdefault(bank, []).append(index)
    return " ".join(f"{bank}:{_ranges(sorted(indices))}" for bank, indices in banks.items()) or "nothing"


def _ranges(indices: list[int]) -> str:
    runs: list[tuple[int, int]] = []
    for index in indices:
        if runs and runs[-1][1] == index - 1:
            runs[-1] = (runs[-1][0], index)
        else:
            runs.append((index, index))
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in runs)
