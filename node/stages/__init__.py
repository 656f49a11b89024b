# SPDX-License-Identifier: AGPL-3.0-or-later
"""The stages of an inference, one file each.

=========  ====================================================  ==============
stage      job                                                   product
=========  ====================================================  ==============
admit      the model is here; its circuit                        ``Admitted``
unseal     the input as integers that fit the circuit            ``Unsealed``
load       an onnxruntime session                                ``Loaded``
attest     the context digest, and evidence over it              ``Attested``
run        every tensor of the circuit                           ``Executed``
commit     Merkle root over them; commitment to the output       ``Committed``
sign       the receipt in its envelope                           ``Signed``
answer     the affidavit file; the sealed answer                 ``Answered``
=========  ====================================================  ==============

An encrypted request goes admit, frame, attest, evaluate, sign (``vouch``), answer (``vouch``): no stage of it sees an
input. A proof is made between ``commit`` and ``sign``, by a stage of its own, where one is wanted.
"""
