"""The bundled Fashion-MNIST against the originals, and the tool that makes it."""

import gzip
import hashlib
import importlib.util
import lzma
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from rbmnotes.datasets.fashion_mnist import BUNDLE, BUNDLE_SHA256, fashion_mnist, read_bundle
from tests.helpers import ROOT

TOOL = ROOT / "tools" / "make_fashion_mnist.py"
PROVENANCE = BUNDLE.with_name("FASHION_MNIST.md")
CONTENT_SHA256 = "4594d6f1a4e29c758669c0742d4d406810f7600de4162c681d32f81e84798957"
ORIGINALS = Path("/usr/share/datasets/fashion-mnist")

needs_originals = pytest.mark.skipif(
    not ORIGINALS.is_dir(),
    reason="needs the original files: install Debian's package dataset-fashion-mnist",
)

FIRST_IMAGE = """
............................
............................
............................
............................
...............#............
...............####.........
..............####.##....#..
..............######...##.#.
.............##########..##.
.............##############.
.............##############.
.............##############.
.............############.#.
.............#############..
............##############..
..........#################.
........###################.
..#########################.
.############.#############.
.#############....#########.
.##########################.
.##########################.
..#########################.
...########################.
.....###################....
............................
............................
............................
"""


@pytest.fixture(scope="module")
def tool():
    spec = importlib.util.spec_from_file_location("make_fashion_mnist", TOOL)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def original(name):
    """The decompressed bytes of one of Debian's files."""
    return gzip.decompress((ORIGINALS / f"{name}.gz").read_bytes())


# --- what is in it


def test_shapes_and_types():
    data = fashion_mnist()
    assert data.shape == (28, 28)
    assert data.train.shape == (60_000, 784)
    assert data.test.shape == (10_000, 784)
    assert data.train.dtype == data.test.dtype == np.int8
    assert data.train_labels.shape == (60_000,)
    assert data.test_labels.shape == (10_000,)


def test_pixels_are_signs():
    # how many originals are at least 128, counted in the original files
    for images, ones in ((fashion_mnist().train, 14_801_503), (fashion_mnist().test, 2_471_969)):
        assert np.count_nonzero(images == 1) == ones
        assert np.count_nonzero(images == -1) == images.size - ones


def test_five_pixels_are_constant_over_the_training_set():
    train = fashion_mnist().train
    assert np.flatnonzero(train.min(axis=0) == train.max(axis=0)).tolist() == [0, 1, 2, 28, 756]


def test_every_class_is_as_large():
    data = fashion_mnist()
    assert np.bincount(data.train_labels).tolist() == [6_000] * 10
    assert np.bincount(data.test_labels).tolist() == [1_000] * 10
    assert len(set(data.class_names)) == 10


def test_the_first_image_is_an_ankle_boot():
    data = fashion_mnist()
    assert data.class_names[data.train_labels[0]] == "Ankle boot"
    rows = ["".join(".#"[x > 0] for x in row) for row in data.train[0].reshape(data.shape).tolist()]
    assert rows == FIRST_IMAGE.split()


def test_first_labels():
    data = fashion_mnist()
    assert data.train_labels[:10].tolist() == [9, 0, 0, 3, 0, 2, 7, 2, 5, 5]
    assert data.test_labels[:10].tolist() == [9, 2, 1, 1, 6, 1, 4, 6, 5, 7]


@pytest.mark.parametrize("name", ["train", "test", "train_labels", "test_labels"])
def test_arrays_are_read_only_and_made_once(name):
    array = getattr(fashion_mnist(), name)
    assert getattr(fashion_mnist(), name) is array
    with pytest.raises(ValueError, match="read-only"):
        array[0] = 1
    with pytest.raises(AttributeError):
        setattr(fashion_mnist(), name, array)


# --- the file


def test_checksums():
    text = PROVENANCE.read_text(encoding="utf-8")
    content = read_bundle(BUNDLE)
    assert hashlib.sha256(content).hexdigest() == CONTENT_SHA256
    for size in (len(content), BUNDLE.stat().st_size):
        assert f" {size:,} " in text
    for checksum in (CONTENT_SHA256, BUNDLE_SHA256):
        assert checksum in text


def test_provenance_holds_the_checksums_of_the_originals(tool):
    text = PROVENANCE.read_text(encoding="utf-8")
    for name, (_, md5, sha256) in tool.ORIGINALS.items():
        assert f"| `{name}.gz` | `{md5}` | `{sha256}` |" in text


def flipped(content, position):
    """The bytes with the lowest bit of one of them turned over."""
    changed = bytearray(content)
    changed[position] ^= 1
    return bytes(changed)


@pytest.mark.parametrize(
    "damage",
    [
        *(lambda content, p=p: flipped(content, p) for p in (0, 6, 1_000, 900_000, -12, -1)),
        lambda content: content[:-1],
        lambda content: content[: len(content) // 2],
        lambda content: content + b"\0",
        lambda content: b"",
    ],
)
def test_damage_is_found_before_decoding(damage, tmp_path, monkeypatch):
    monkeypatch.setattr(lzma, "decompress", lambda content: pytest.fail("decoded"))
    path = tmp_path / "copy.xz"
    path.write_bytes(damage(BUNDLE.read_bytes()))
    with pytest.raises(OSError, match=r"copy\.xz is damaged") as caught:
        read_bundle(path)
    assert BUNDLE_SHA256 in str(caught.value)
    assert hashlib.sha256(path.read_bytes()).hexdigest() in str(caught.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.xz"):
        read_bundle(tmp_path / "none.xz")


# --- the originals


@needs_originals
@pytest.mark.parametrize(("split", "prefix"), [("train", "train"), ("test", "t10k")])
def test_every_bit_is_the_original(split, prefix):
    data = fashion_mnist()
    grey = np.frombuffer(original(f"{prefix}-images-idx3-ubyte"), np.uint8, offset=16)
    labels = np.frombuffer(original(f"{prefix}-labels-idx1-ubyte"), np.uint8, offset=8)
    images = getattr(data, split)
    assert np.array_equal(images.ravel() > 0, grey >= 128)
    assert np.array_equal(getattr(data, f"{split}_labels"), labels)
    assert images.mean() == pytest.approx(2.0 * np.mean(grey > 127) - 1.0, abs=1e-12)


@needs_originals
def test_debian_carries_the_published_files(tool):
    """Debian leaves a file's name and time out of the gzip header; with them the MD5 is right."""
    times = {"train": 1_504_176_606, "t10k": 1_504_176_627}  # 31 August 2017, found by search
    for name, (_, md5, _) in tool.ORIGINALS.items():
        compressed = (ORIGINALS / f"{name}.gz").read_bytes()
        if compressed[3] == 0:  # no name
            time = times[name.partition("-")[0]].to_bytes(4, "little")
            named = name.encode() + b"\0"
            header = compressed[:3] + b"\x08" + time + compressed[8:10] + named
            compressed = header + compressed[10:]
        assert hashlib.md5(compressed, usedforsecurity=False).hexdigest() == md5


# --- the tool


@needs_originals
def test_check_passes():
    command = [sys.executable, TOOL, "--check", ORIGINALS]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "bit for bit" in done.stdout


def test_check_finds_one_wrong_bit(tool, monkeypatch):
    content = read_bundle(BUNDLE)
    monkeypatch.setattr(tool, "build", lambda folder: content)
    assert tool.main(["--check"]) is None
    monkeypatch.setattr(tool, "build", lambda folder: flipped(content, 5_000_000))
    with pytest.raises(SystemExit) as caught:
        sys.exit(tool.main(["--check"]))
    assert caught.value.code == "fashion_mnist.xz is not what the originals give"


def test_the_bundle_is_written_as_it_is_read(tool, tmp_path, monkeypatch, capsys):
    path = tmp_path / "new.xz"
    monkeypatch.setattr(tool, "BUNDLE", path)
    monkeypatch.setattr(tool, "build", lambda folder: b"content" * 1_000)
    files = set()
    for _ in range(2):
        assert tool.main([str(tmp_path)]) is None
        files.add(path.read_bytes())
    (written,) = files
    assert lzma.decompress(written) == b"content" * 1_000
    assert hashlib.sha256(written).hexdigest() in capsys.readouterr().out


def test_idx_is_parsed(tool):
    content = bytes([0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 3, 5, 6, 7, 8, 9, 10])
    assert tool.parse_idx(content, (2, 3)).tolist() == [[5, 6, 7], [8, 9, 10]]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not an IDX"),
        (b"\0\0\x08", "not an IDX"),
        (b"\0\0\x08\x01\0\0\0", "not an IDX"),  # the header stops
        (b"\0\0\x09\x01\0\0\0\x02ab", "not an IDX"),  # another type
        (b"\0\0\x08\x02\0\0\0\x02ab", "not an IDX"),  # more axes
        (b"\0\0\x08\x01\0\0\0\x03abc", "not an IDX"),  # another size
        (b"\0\0\x08\x01\0\0\0\x02a", "must hold 2 values; got 1"),
        (b"\0\0\x08\x01\0\0\0\x02abc", "must hold 2 values; got 3"),
    ],
)
def test_idx_refuses_other_files(tool, content, message):
    with pytest.raises(ValueError, match=message):
        tool.parse_idx(content, (2,))


def test_other_content_is_refused_and_the_download_has_its_checksum(tool, tmp_path, monkeypatch):
    name = "t10k-labels-idx1-ubyte"
    path = tmp_path / f"{name}.gz"
    path.write_bytes(gzip.compress(b"\0\0\x08\x01" + (10_000).to_bytes(4) + bytes(10_000)))
    with pytest.raises(ValueError, match=f"{name} must have the SHA-256"):
        tool.read_original(tmp_path, name)

    asked = []
    pooch = SimpleNamespace(retrieve=lambda *arguments: asked.append(arguments) or str(path))
    monkeypatch.setitem(sys.modules, "pooch", pooch)
    with pytest.raises(ValueError, match=f"{name} must have the SHA-256"):
        tool.read_original(None, name)
    md5 = "md5:bb300cfdad3c16e7a12a480ee83cd310"
    assert asked == [(f"{tool.SOURCE}{name}.gz", md5, f"{name}.gz")]
