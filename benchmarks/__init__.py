# SPDX-License-Identifier: AGPL-3.0-or-later
"""Measurements. ``make bench`` runs all but ``peers``, ``make bench-peers`` that; each writes a file in ``results/``.

A result names the machine and how busy it was, the versions, the command and the spread. Ratios are between things that
were measured interleaved, in one run. Documents quote figures from these files alone (``scripts/figures.py``). One of
them: ``make bench ARGS=proofs``; one work of one of them, printed and not written:
``make bench ARGS='proofs --only lenet5'``.

==============  ========================================================================================  ========
module          measures                                                                                  takes
==============  ========================================================================================  ========
inference       integer circuits against their float models, both in onnxruntime                          2 min
proofs          proving and verifying: time by phase, bytes, bits, memory, set-up; goals                  5 min
verification    an affidavit: making it, verifying it, with and without recomputation                     5 s
peers           proving and verifying beside EZKL, on the same files                                      15 min
==============  ========================================================================================  ========

==============  ========================================================================================
module          holds
==============  ========================================================================================
works           what is proved: models, inputs, goals
proving         one work compiled in one process, proved and verified in another
from_files      the same where nothing is at hand but files
ezkl_process    EZKL installed and run as an outside program; ``ezkl_worker`` drives it, under its interpreter
goals           what a figure should be, and whether it is
models          real models, with inputs
networks        float networks as ONNX
mnist           a small network, trained here
process         processes of their own, and their peak memory
timing          interleaved timing: rounds, medians, spread
record          what a result file holds
==============  ========================================================================================
"""
