"""The bundled Fashion-MNIST: 70,000 pictures of clothes, one bit a pixel.

Source, licence, format and checksums are in ``FASHION_MNIST.md``, beside this module;
``tools/make_fashion_mnist.py`` makes the bundle from the originals.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

BUNDLE = Path(__file__).with_name("fashion_mnist.xz")
BUNDLE_SHA256 = "09173125536d62b95a4da5a911454e163b73d70df0a3b6512585108b4a37ac88"

TRAIN, TEST = 60_000, 10_000
SHAPE = (28, 28)
ROW_BYTES = 4  # 28 pixels, the first in the highest bit, and four zeros
CLASS_NAMES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)


@dataclass(frozen=True, eq=False)
class FashionMNIST:
    """Images of clothes, one a row, with the numbers of their classes; every array is read-only.

    Attributes
    ----------
    train : (60000, 784) array of int8
        Training images. A pixel is $+1$ where the original grey value, 0 to 255, is 128 or more,
        and $-1$ elsewhere; ``train[i].reshape(shape)`` is a picture, its top row first.
    test : (10000, 784) array of int8
        Test images.
    train_labels : (60000,) array of uint8
        Classes, 0 to 9, the same number of images in each.
    test_labels : (10000,) array of uint8
        The same of the test images.
    shape : (int, int)
        Rows and columns of a picture: (28, 28).
    class_names : tuple of str, length 10
        What the classes are: ``class_names[train_labels[i]]``.
    """

    train: np.ndarray
    test: np.ndarray
    train_labels: np.ndarray
    test_labels: np.ndarray
    shape: tuple[int, int] = SHAPE
    class_names: tuple[str, ...] = CLASS_NAMES


@cache
def fashion_mnist() -> FashionMNIST:
    """Return Fashion-MNIST, thresholded to signs, from the file bundled with the package.

    The first call decodes the file, in a fraction of a second; later ones return the same object,
    of 55 MB.

    Returns
    -------
    FashionMNIST
        Its arrays are read-only and hold small integers: convert what is computed with, as in
        ``fashion_mnist().train[:6000].astype(float)``.

    Raises
    ------
    OSError
        If the bundled file is missing or is not, bit for bit, the one released.
    """
    return unpack(read_bundle(BUNDLE))


def read_bundle(path: Path) -> bytes:
    """Return the content of the bundle at `path`, or raise ``OSError`` before decoding a bit."""
    import lzma  # a Python built without it can do everything else

    compressed = path.read_bytes()
    found = hashlib.sha256(compressed).hexdigest()
    if found != BUNDLE_SHA256:
        raise OSError(
            f"{path} is damaged: its SHA-256 must be {BUNDLE_SHA256}; got {found}. "
            "Install rbmnotes anew"
        )
    return lzma.decompress(compressed)


def unpack(content: bytes) -> FashionMNIST:
    """Decode the content of a bundle: packed images, then labels; training set first in both."""
    packed, labels = np.split(
        np.frombuffer(content, np.uint8), [(TRAIN + TEST) * SHAPE[0] * ROW_BYTES]
    )
    bits = np.unpackbits(packed.reshape(-1, ROW_BYTES), axis=1, count=SHAPE[1])
    images = bits.view(np.int8).reshape(TRAIN + TEST, -1)
    images *= 2
    images -= 1
    labels = labels.copy()  # lets go of the packed images
    for array in (images, labels):
        array.flags.writeable = False
    return FashionMNIST(images[:TRAIN], images[TRAIN:], labels[:TRAIN], labels[TRAIN:])
