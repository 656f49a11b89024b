# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the report says of guest and platform, against what the policy asks for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from attestation.contract import Category, Check, Outcome
from attestation.snp.products import Product
from attestation.snp.report import Report
from attestation.snp.tcb import Tcb
from attestation.snp.trust import SnpTrust
from attestation.snp.vek import Vek

ID = "evidence.snp"


def check_guest(report: Report, trust: SnpTrust) -> Iterator[Check]:
    """Checks on policy, platform, VMPL, reference values."""
    yield _check_debug(report, trust)
    required, forbidden, code = trust.required_policy, trust.forbidden_policy, f"{ID}.policy-unexpected"
    yield _check_bits("policy", report.policy_names, required, forbidden, "configuration", code)
    required, forbidden, code = trust.required_platform, trust.forbidden_platform, f"{ID}.platform-unexpected"
    yield _check_bits("platform", report.platform_names, required, forbidden, "hardware", code)
    yield _check_vmpl(report, trust)
    abi, least = (report.policy >> 8 & 0xFF, report.policy & 0xFF), trust.minimum_abi
    yield _line("abi", abi >= least, _dotted(abi), f"at least {_dotted(least)}", "configuration", f"{ID}.abi-too-old")
    svn, code = report.guest_svn, f"{ID}.guest-svn-too-old"
    enough = svn >= trust.minimum_guest_svn
    yield _line("guest-svn", enough, str(svn), f"at least {trust.minimum_guest_svn}", "executables", code)
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
    minimum, launch = trust.minimum_tcb.get(product.name, {}), trust.minimum_launch_tcb.get(product.name, {})
    yield _check_minimum("tcb", ("reported", "committed"), tcbs, minimum, f"{ID}.tcb-too-old")
    yield _check_minimum("launch-tcb", ("launch",), tcbs, launch, f"{ID}.launch-tcb-too-old")
    firmware, least = min(report.firmware, report.committed_firmware), trust.minimum_firmware
    code = f"{ID}.firmware-too-old"
    yield _line("firmware", firmware >= least, _dotted(firmware), f"at least {_dotted(least)}", "hardware", code)
    if trust.require_committed:
        settled = report.committed_tcb == report.current_tcb and report.committed_firmware == report.firmware
        observed = f"current {tcbs['current']}; committed {tcbs['committed']}"
        required = "firmware that cannot be rolled back"
        yield _line("committed", settled, observed, required, "hardware", f"{ID}.provisional")
    yield _check_chip_lists(report, vek, trust)


def _line(name: str, good: bool, observed: str, required: str, category: Category, code: str) -> Check:
    outcome: Outcome = "PASS" if good else "FAIL"
    return Check(f"{ID}.{name}", outcome, observed, required, "" if good else code, category=category)


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
    what: str,
    found: frozenset[str],
    required: frozenset[str],
    forbidden: frozenset[str],
    category: Category,
    code: str,
) -> Check:
    good = required <= found and not forbidden & found
    wanted = [*sorted(required), *(f"not {name}" for name in sorted(forbidden))]
    observed = ", ".join(sorted(found)) or "no bit set"
    return _line(what, good, observed, ", ".join(wanted) or "any", category, code)


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
    code = f"{ID}.measurement-unexpected"
    return _member("measurement", report.measurement, trust.measurements, "executables", code)


def _check_references(report: Report, trust: SnpTrust) -> Iterator[Check]:
    author = report.author_key_digest if report.author_key_enabled else b""
    questions: tuple[tuple[str, bytes, frozenset[bytes], Category, str], ...] = (
        ("host-data", report.host_data, trust.host_data, "configuration", f"{ID}.host-data-unexpected"),
        ("id-key", report.id_key_digest, trust.id_key_digests, "executables", f"{ID}.id-key-unexpected"),
        ("author-key", author, trust.author_key_digests, "executables", f"{ID}.author-key-unexpected"),
        ("report-id", report.report_id, trust.report_ids, "instance-identity", f"{ID}.report-id-unexpected"),
        ("family-id", report.family_id, trust.family_ids, "executables", f"{ID}.family-id-unexpected"),
        ("image-id", report.image_id, trust.image_ids, "executables", f"{ID}.image-id-unexpected"),
    )
    for name, value, allowed, category, code in questions:
        if allowed:
            yield _member(name, value, allowed, category, code)


def _member(name: str, value: bytes, allowed: frozenset[bytes], category: Category, code: str) -> Check:
    first = min(allowed).hex()
    required = first if len(allowed) == 1 else f"{first} or {len(allowed) - 1} others"
    return _line(name, value in allowed, value.hex() or "none", required, category, code)


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


def _check_minimum(
    name: str, which: tuple[str, ...], tcbs: Mapping[str, Tcb], minimum: Mapping[str, int], code: str
) -> Check:
    low = [f"{key}: {', '.join(found)}" for key in which if (found := tcbs[key].below(minimum))]
    observed = "; ".join(low) or "; ".join(f"{key} {tcbs[key]}" for key in which)
    required = ", ".join(f"{part} {least}" for part, least in minimum.items())
    return _line(name, not low, observed, f"at least {required}" if required else "any", "hardware", code)


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
