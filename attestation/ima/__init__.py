# SPDX-License-Identifier: AGPL-3.0-or-later
"""Linux IMA measurement lists: parse, recompute, replay, and say only what the quoted register vouches for.

::

    template data = u32 length || field, for each field            (fixed sizes for the template `ima`)
    digest_i      = H( template data )                             0xff ... ff for a violation
    PCR_0         = 0 ... 0
    PCR_i+1       = H( PCR_i || digest_i )

The list goes on growing while it is read, so that it may be longer than it was when the TPM quoted. Only the prefix
whose replay gives the quoted value is vouched for; what lies behind it is counted and believed in nothing.

===========  ==========================================================================
`entries`    one measurement: template, fields, digests
`parser`     ascii and binary runtime measurement lists
`replay`     the prefix that a register vouches for; `boot_aggregate`
===========  ==========================================================================

Does not verify file signatures, nor judge which files may run. Importable by anyone: standard library only.
Source: Linux, Documentation/security/IMA-templates.rst; security/integrity/ima. Specification: docs/spec/ima.md.
"""

from attestation.ima.entries import Entry, ImaList
from attestation.ima.parser import MAX_LIST, parse_ima_list
from attestation.ima.replay import boot_aggregates, covered_prefix

__all__ = ["MAX_LIST", "Entry", "ImaList", "boot_aggregates", "covered_prefix", "parse_ima_list"]
