# SPDX-License-Identifier: AGPL-3.0-or-later
"""The kernel's common interface to confidential guests' reports: configfs-tsm, of which SNP and TDX producers are made.

==============  ==============================================================
`configfs`      one report over caller's data, free of other writers' influence
`presence`      whether the interface is there, and whose reports it gives
==============  ==============================================================

Only producers import these modules; appraising evidence never does.
"""
