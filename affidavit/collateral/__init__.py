# SPDX-License-Identifier: AGPL-3.0-or-later
"""Collateral from the services that publish it, kept so that an appraisal, and an audit years later, needs no network.

::

    evidence --fetch--> pieces --+--> folder with an index --bundle--> pack (one file, with its date)
                          ^      `--> the node's evidence, as members `collateral.<n>`
                       cache

Nothing here is believed: a piece is looked at so that a wrong page is not kept, and judged by `appraise` as if an
enemy had sent it. The pure verifying core never imports this.

=====================================  ==================================================================
`services`                             where AMD's, Intel's and NVIDIA's services are, or your mirrors
`transfer`                             HTTP: bounded, patient with throttling, never redirected
`cache`                                answers on disk, whole or not at all
`source`                               cache and transfer together: what may be used when
`amd` `intel` `nvidia`                 which pieces a kind of evidence needs, and their URLs
`fetching`                             by type of evidence
`lifetime`                             until when a piece may be used
`folder` `pack`                        a folder of pieces with its index; the air-gap pack
`travelling`                           a producer whose evidence carries its collateral
=====================================  ==================================================================

How to use it: docs/collateral.md.
"""
