"""Make the bundled Fashion-MNIST from the four original files, or check that it comes from them.

Usage: python tools/make_fashion_mnist.py [--check] [FOLDER]

FOLDER holds the originals, compressed IDX files, as in Debian's package dataset-fashion-mnist;
without it they are downloaded with pooch. What is in them must have the known SHA-256.

The content of the bundle is the same, bit for bit, whatever the machine, and ``--check`` compares
just that. The compressed file is the same for one version of liblzma only; the package knows its
SHA-256, so that a file made anew counts once ``BUNDLE_SHA256`` is set to what is printed here.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import lzma
import math
import struct
import sys
from pathlib import Path

import numpy as np

from rbmnotes.datasets.fashion_mnist import BUNDLE, SHAPE, TEST, TRAIN, read_bundle

SOURCE = "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/"
THRESHOLD = 128

# In the order of the bundle. A file's MD5 is the one its authors publish; the SHA-256 is that of
# its content, because a copy may be compressed anew: Debian's lacks the name and time of the file.
ORIGINALS = {
    "train-images-idx3-ubyte": (
        (TRAIN, *SHAPE),
        "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
        "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    ),
    "t10k-images-idx3-ubyte": (
        (TEST, *SHAPE),
        "bef4ecab320f06d8554ea6380940ec79",
        "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    ),
    "train-labels-idx1-ubyte": (
        (TRAIN,),
        "25c81989df183df01b3e8a0aad5dffbe",
        "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    ),
    "t10k-labels-idx1-ubyte": (
        (TEST,),
        "bb300cfdad3c16e7a12a480ee83cd310",
        "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    ),
}


def parse_idx(content: bytes, shape: tuple[int, ...]) -> np.ndarray:
    """Return the array in an IDX file of unsigned bytes.

    Parameters
    ----------
    content : bytes
        The file, decompressed: a magic number, the sizes of the axes, the values.
    shape : tuple of int
        The shape that the file must have.

    Returns
    -------
    array of uint8, of the given shape

    Raises
    ------
    ValueError
        If the magic number or the shape differ, or values are missing or left over.
    """
    header = struct.pack(f">{1 + len(shape)}I", 0x0800 + len(shape), *shape)
    if not content.startswith(header):
        raise ValueError(f"not an IDX file of unsigned bytes of shape {shape}")
    found = len(content) - len(header)
    if found != math.prod(shape):
        raise ValueError(
            f"an IDX file of shape {shape} must hold {math.prod(shape)} values; got {found}"
        )
    return np.frombuffer(content, np.uint8, offset=len(header)).reshape(shape)


def read_original(folder: Path | None, name: str) -> np.ndarray:
    """Return the array in an original file of `folder`, or in a download if that is ``None``."""
    shape, md5, sha256 = ORIGINALS[name]
    if folder is None:
        import pooch

        path = Path(pooch.retrieve(f"{SOURCE}{name}.gz", f"md5:{md5}", f"{name}.gz"))
    else:
        path = folder / f"{name}.gz"
    content = gzip.decompress(path.read_bytes())
    values = parse_idx(content, shape)
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise ValueError(f"{name} must have the SHA-256 {sha256}; got {found}")
    return values


def build(folder: Path | None) -> bytes:
    """Return the content of the bundle: every row of an image in four bytes, then the labels."""
    train, test, *labels = (read_original(folder, name) for name in ORIGINALS)
    images = (np.packbits(grey >= THRESHOLD, axis=2) for grey in (train, test))
    return b"".join(array.tobytes() for array in (*images, *labels))


def main(arguments: list[str] | None = None) -> str | None:
    """Write the bundle, or compare it; return what is wrong with it, if anything is."""
    parser = argparse.ArgumentParser(description="Make the bundled Fashion-MNIST.")
    parser.add_argument("folder", nargs="?", type=Path, help="where the four originals are")
    parser.add_argument("--check", action="store_true", help="compare, and write nothing")
    options = parser.parse_args(arguments)
    content = build(options.folder)
    if options.check:
        if content != read_bundle(BUNDLE):
            return f"{BUNDLE.name} is not what the originals give"
        print(f"{BUNDLE.name} is what the originals give, bit for bit")
        return None
    compressed = lzma.compress(content, preset=9 | lzma.PRESET_EXTREME)
    BUNDLE.write_bytes(compressed)
    print(f"{len(content)} bytes of content, SHA-256 {hashlib.sha256(content).hexdigest()}")
    print(f"{len(compressed)} bytes in {BUNDLE.name}: BUNDLE_SHA256 = ", end="")
    print(f'"{hashlib.sha256(compressed).hexdigest()}"')
    return None


if __name__ == "__main__":
    sys.exit(main())
