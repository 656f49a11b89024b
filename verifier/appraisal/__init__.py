# SPDX-License-Identifier: AGPL-3.0-or-later
"""One piece of evidence in, one judgement out: verdict, trustworthiness, score.

::

    (type, members, collateral, challenge, at, policy)  ->  Judgement
    verdict = REJECT        where a check is false: its code, the first in the order of the lines
              UNVERIFIABLE  where a check that is demanded was not made: likewise
              MALFORMED     where the bytes break the format's grammar
              ACCEPT        else, where something was checked

==================  =========================================================================
module              holds
==================  =========================================================================
judge               the decision
demands             the policy's own lines: debug, TCB status, age of collateral, score
trust               what a policy says of a format, with its profile's settings
trustworthiness     AR4SI: from check lines to the vector and the status
score               the integrity score of an appraisal
collateral_age      when the given collateral was issued
ear                 the judgement as an EAT attestation result (EAR), both dialects
report              the judgement as JSON
==================  =========================================================================

Pure, like the core that it belongs to: no clock, no network, no files.
"""

from __future__ import annotations

from verifier.appraisal.judge import Judgement, judge

__all__ = ["Judgement", "judge"]
