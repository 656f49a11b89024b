# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the report says of guest and platform, against what the policy asks for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from attestation.contract import Category, Check
from attestation.snp.products import Product
from attestation.snp.report import Report
from attestation.snp.tcb import Tcb
from attestation.snp.trust import SnpTrust
from attestation.snp.vek import Vek

ID = "evidence.snp"


def check_guest(report: Report, trust: SnpTrust) -> Iterator[Check]:
    """Checks on policy, platform, VMPL, reference values."""
    yield _check_debug(report, trust)
    yield _check_bits("policy", report.policy_names, trust.required_policy, trust.forbidden_policy, "configuration")
    yield _check_bits("platform", report.platform_names, trust.required_platform, trust.forbidden_platform, "hardware")
    yield _check_vmpl(report, trust)
    abi = report.policy >> 8 & 0xFF, report.policy & 0xFF
    yield _line(
        "abi", abi >= trust.minimum_abi, _dotted(abi), f"at least {_dotted(trust.minimum_abi)}", "configuration"
    )
    svn, least = report.guest_svn, trust.minimum_guest_svn
    yield _line("guest-svn", svn >= least, str(svn), f"at least {least}", "executables")
    yield _check_measurement(report, trust)
    yield from _check_references(report, trust)


def check_platform(report: Report, vek: Vek | None, product: Product, trust: SnpTrust) -> Iterator[Check]:
    """Checks on TCB versions, firmware, chip lists."""
    tcbs = {
        "reported": Tcb(report.reported_tcb, product),
        "committed": Tcb(report.committed_tcb, product),
        "current": Tcb(report.current_tcb, product),
        "launch": Tcb(report.launch_tcb, product),
    }
    yield _check_order(tcbs)
    yield _check_minimum("tcb", ("reported", "committed"), tcbs, trust.minimum_tcb.get(product.name, {}))
    yield _check_minimum("launch-tcb", ("launch",), tcbs, trust.minimum_launch_tcb.get(product.name, {}))
    firmware, least = min(report.firmware, report.committed_firmware), trust.minimum_firmware
    yield _line("firmware", firmware >= least, _dotted(firmware), f"at least {_dotted(least)}", "hardware")
    if trust.require_committed:
        settled = report.committed_tcb == report.current_tcb and report.committed_firmware == report.firmware
        observed = f"current {tcbs['current']}; committed {tcbs['committed']}"
        yield _line("committed", settled, observed, "firmware that cannot be rolled back", "hardware", "provisional")
    yield _check_chip_lists(report, vek, trust)


def _line(name: str, good: bool, observed: str, required: str, category: Category, code: str = "") -> Check:
    code = "" if good else f"{ID}.{code or name + '-too-old'}"
    return Check(f"{ID}.{name}", "PASS" if good else "FAIL", observed, required, code, category=category)


def _check_debug(report: Report, trust: SnpTrust) -> Check:
    debug = "debug" in report.policy_names
    good = not debug or trust.allow_debug
    return Check(
        f"{ID}.debug",
        "PASS" if good else "FAIL",
        "the host may read and write the guest's memory" if debug else "no debugging",
        "any" if trust.allow_debug else "no debugging",
        "" if good else f"{ID}.debug-enabled",
        category="runtime-opaque",
        warning=debug and good,
    )


def _check_bits(
    what: str, found: frozenset[str], required: frozenset[str], forbidden: frozenset[str], category: Category
) -> Check:
    wrong = sorted((required - found) | (forbidden & found))
    wanted = [*sorted(required), *(f"not {name}" for name in sorted(forbidden))]
    return Check(
        f"{ID}.{what}",
        "FAIL" if wrong else "PASS",
        ", ".join(sorted(found)) or "no bit set",
        ", ".join(wanted) or "any",
        f"{ID}.{what}-unexpected" if wrong else "",
        category=category,
    )


def _check_vmpl(report: Report, trust: SnpTrust) -> Check:
    good = trust.vmpls is None or report.vmpl in trust.vmpls
    wanted = " or ".join(map(str, sorted(trust.vmpls))) if trust.vmpls is not None else "0, others with a warning"
    return Check(
        f"{ID}.vmpl",
        "PASS" if good else "FAIL",
        str(report.vmpl),
        wanted,
        "" if good else f"{ID}.vmpl-unexpected",
        category="executables",
        warning=good and trust.vmpls is None and report.vmpl != 0,
    )


def _check_measurement(report: Report, trust: SnpTrust) -> Check:
    check, observed = f"{ID}.measurement", report.measurement.hex()
    if not trust.measurements:
        return Check(
            check,
            "SKIP",
            observed,
            "no reference values given",
            f"{ID}.measurement-no-reference",
            demanded=False,
            category="executables",
        )
    return _member("measurement", report.measurement, trust.measurements, "executables")


def _check_references(report: Report, trust: SnpTrust) -> Iterator[Check]:
    questions: tuple[tuple[str, bytes, frozenset[bytes], Category], ...] = (
        ("host-data", report.host_data, trust.host_data, "configuration"),
        ("id-key", report.id_key_digest, trust.id_key_digests, "executables"),
        ("report-id", report.report_id, trust.report_ids, "instance-identity"),
        ("family-id", report.family_id, trust.family_ids, "executables"),
        ("image-id", report.image_id, trust.image_ids, "executables"),
    )
    for name, value, allowed, category in questions:
        if allowed:
            yield _member(name, value, allowed, category)
    if trust.author_key_digests:
        digest = report.author_key_digest if report.author_key_enabled else b""
        yield _member("author-key", digest, trust.author_key_digests, "executables")


def _member(name: str, value: bytes, allowed: frozenset[bytes], category: Category) -> Check:
    good = value in allowed
    first = min(allowed).hex()
    return Check(
        f"{ID}.{name}",
        "PASS" if good else "FAIL",
        value.hex() or "none",
        first if len(allowed) == 1 else f"{first} or {len(allowed) - 1} others",
        "" if good else f"{ID}.{name}-unexpected",
        category=category,
    )


def _check_order(tcbs: Mapping[str, Tcb]) -> Check:
    """Firmware commits to, and reports, nothing above what runs; other orders are the host's business."""
    wrong = [name for name in ("reported", "committed") if not tcbs[name].within(tcbs["current"])]
    observed = "; ".join(f"{name} {tcbs[name]}" for name in [*wrong, "current"])
    required = "reported and committed TCB not above the current one"
    return Check(
        f"{ID}.tcb-order",
        "FAIL" if wrong else "PASS",
        observed,
        required,
        f"{ID}.tcb-order" if wrong else "",
        category="hardware",
    )


def _check_minimum(name: str, which: tuple[str, ...], tcbs: Mapping[str, Tcb], minimum: Mapping[str, int]) -> Check:
    low = [f"{key}: {', '.join(found)}" for key in which if (found := tcbs[key].below(minimum))]
    observed = "; ".join(low) or "; ".join(f"{key} {tcbs[key]}" for key in which)
    required = ", ".join(f"{part} {least}" for part, least in minimum.items())
    return _line(name, not low, observed, f"at least {required}" if required else "any", "hardware")


def _check_chip_lists(report: Report, vek: Vek | None, trust: SnpTrust) -> Check:
    check = f"{ID}.chip-allowed"
    chip = report.chip_id if any(report.chip_id) else (vek.hwid if vek else b"").ljust(64, b"\0")
    if not trust.chip_ids and not trust.denied_chip_ids:
        return Check(check, "PASS", chip.hex(), "any", category="instance-identity")
    required = f"one of {len(trust.chip_ids)}" if trust.chip_ids else "any"
    required += f", none of {len(trust.denied_chip_ids)} denied" if trust.denied_chip_ids else ""
    if not any(chip):
        code = f"{ID}.chip-unnamed"
        return Check(
            check, "SKIP", "neither report nor certificate name it", required, code, category="instance-identity"
        )
    denied = chip in {listed.ljust(64, b"\0") for listed in trust.denied_chip_ids}
    good = not denied and (not trust.chip_ids or chip in {listed.ljust(64, b"\0") for listed in trust.chip_ids})
    code = "" if good else f"{ID}.chip-denied" if denied else f"{ID}.chip-unexpected"
    return Check(check, "PASS" if good else "FAIL", chip.hex(), required, code, category="instance-identity")


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))
