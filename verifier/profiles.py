# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a policy demands of a machine's evidence beyond its own checks, and the named profiles of such demands.

===============  =========  ==========  ===============  ============  ============  =============  =====
profile          freshness  revocation  TCB statuses     by bulletins  collateral    minimum score  debug
===============  =========  ==========  ===============  ============  ============  =============  =====
production       demanded   demanded    UpToDate         UpToDate      any age       0              no
enterprise       demanded   demanded    UpToDate         UpToDate      30 days       0.600          no
home             open       open        UpToDate         both          any age       0              no
air-gapped       open       demanded    UpToDate         UpToDate      90 days       0.500          no
development      open       open        every status     both          any age       0              yes
===============  =========  ==========  ===============  ============  ============  =============  =====

*Open* means: looked at where it is given (a stale answer or a revoked certificate is rejected), a line of the result
and a lower score where it is not. ``production`` is the strictest that works with any format; what a policy file does
not say has its values.

*TCB statuses* are a vendor's own signed word about this platform (Intel). *By bulletins* is a status that this project,
or a policy, reads off published bulletins (AMD): unsigned, incomplete, and ``home`` takes ``OutOfDate`` by it as a
warning.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

TCB_STATUSES = (
    "UpToDate",
    "SWHardeningNeeded",
    "ConfigurationNeeded",
    "ConfigurationAndSWHardeningNeeded",
    "OutOfDate",
    "OutOfDateConfigurationNeeded",
    "Revoked",
)
"""The statuses of a trusted computing base that have one meaning everywhere (Intel's words), best first."""

BULLETIN_STATUSES = ("UpToDate", "OutOfDate")
"""The statuses that holding a report against bulletins can give, best first."""

MAX_AGE_DAYS = 36_500


@dataclass(frozen=True, kw_only=True)
class Demands:
    """What is demanded of one appraisal.

    Attributes:
        freshness: a challenge must have been given, and be in the evidence.
        revocation: a current revocation list is needed wherever a format looks for one.
        tcb_statuses: tolerated values of the claim ``tcb_status``, of :data:`TCB_STATUSES`; all but ``UpToDate``
            as a warning. ``Revoked`` never.
        bulletin_statuses: likewise, of :data:`BULLETIN_STATUSES`, where no vendor signs a status and bulletins give it.
        max_collateral_age_days: bound on the age of dated collateral; ``None`` for none but its own expiry.
        minimum_score: of the appraisal, in thousandths.
        debug: whether evidence of a machine that its operator may look into is tolerated, as a warning.
    """

    freshness: bool = True
    revocation: bool = True
    tcb_statuses: frozenset[str] = frozenset({"UpToDate"})
    bulletin_statuses: frozenset[str] = frozenset({"UpToDate"})
    max_collateral_age_days: int | None = None
    minimum_score: int = 0
    debug: bool = False


PROFILES: Mapping[str, Demands] = MappingProxyType(
    {
        "air-gapped": Demands(freshness=False, max_collateral_age_days=90, minimum_score=500),
        "development": Demands(
            freshness=False,
            revocation=False,
            tcb_statuses=frozenset(TCB_STATUSES) - {"Revoked"},
            bulletin_statuses=frozenset(BULLETIN_STATUSES),
            debug=True,
        ),
        "enterprise": Demands(max_collateral_age_days=30, minimum_score=600),
        "home": Demands(freshness=False, revocation=False, bulletin_statuses=frozenset(BULLETIN_STATUSES)),
        "production": Demands(),
    }
)
