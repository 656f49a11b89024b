# SPDX-License-Identifier: AGPL-3.0-or-later
"""The main job on a real model, start to end, on this machine: answer, affidavit, verdict; then four lies, refused.

=========  =====================================================================
module     holds
=========  =====================================================================
story      what happens, in order, and what is printed
machine    the evidence: a software TPM enrolled with an attestation CA, or simulated
lies       how a bearer or a node would cheat with a genuine affidavit
private_story, private_lies  the same with an encrypted question (``--private``)
picture    an image in a terminal
data/      the network of models/square_mlp; LeNet-5 (ONNX), 512 training images to calibrate, 100 MNIST test images
=========  =====================================================================
"""
