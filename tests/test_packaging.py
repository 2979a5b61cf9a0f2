"""What is shipped: bounds that agree, a wheel that works alone, imports that run one way."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

import rbmnotes
from tests.helpers import PROJECT, ROOT, run_with_rights_that_count

PACKAGE = ROOT / "rbmnotes"
EXTRAS = PROJECT["optional-dependencies"]


def bounds(requirements):
    """Return name -> specifiers of a list of requirements, each name at most once."""
    found = {}
    for text in requirements:
        requirement = Requirement(text)
        name = canonicalize_name(requirement.name)
        assert name not in found, f"{name} is listed twice"
        assert requirement.url is None, f"{name} is not a plain requirement"
        assert requirement.marker is None, f"{name} depends on the platform"
        found[name] = requirement.specifier
    return found


# --- bounds and pins


def environment():
    """Return the requirements of environment.yml, conda's and pip's, and pip's last line."""
    content = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    assert content["name"] == PROJECT["name"]
    assert content["channels"][0] == "conda-forge"
    plain = [line for line in content["dependencies"] if isinstance(line, str)]
    (pip,) = (item["pip"] for item in content["dependencies"] if isinstance(item, dict))
    assert "pip" in plain, "conda wants pip itself listed"
    plain.remove("pip")
    return bounds([*plain, *pip[:-1]]), pip[-1]


def test_environment_holds_the_bounds_of_pyproject():
    conda, last = environment()
    assert last == "-e ."
    project = bounds([*PROJECT["dependencies"], *(line for e in EXTRAS.values() for line in e)])
    project["python"] = SpecifierSet(PROJECT["requires-python"])
    assert conda.keys() == project.keys()
    assert conda == project


def test_every_bound_has_two_ends():
    for name, specifiers in environment()[0].items():
        assert sorted(s.operator for s in specifiers) == ["<", ">="], name


def pins():
    """Return name -> version of constraints.txt."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    found = bounds(line for line in lines if line.strip() and not line.startswith("#"))
    versions = {}
    for name, specifiers in found.items():
        (pin,) = specifiers
        assert pin.operator == "==", f"{name} is not pinned"
        versions[name] = Version(pin.version)
    return versions


def test_constraints_satisfy_and_pin_the_dependencies():
    pinned = pins()
    required = bounds([*PROJECT["dependencies"], *EXTRAS["book"], *EXTRAS["test"]])
    assert required.keys() <= pinned.keys()
    for extra in ([], *EXTRAS.values()):
        for name, specifiers in bounds([*PROJECT["dependencies"], *extra]).items():
            if name in pinned:
                assert pinned[name] in specifiers, f"{name}: {pinned[name]} is not {specifiers}"


def test_python_bounds_match_the_classifiers():
    prefix = "Programming Language :: Python :: "
    named = {c.removeprefix(prefix) for c in PROJECT["classifiers"] if c.startswith(prefix)}
    allowed = SpecifierSet(PROJECT["requires-python"])
    assert named == {f"3.{minor}" for minor in range(30) if f"3.{minor}" in allowed}


# --- the wheel, alone


def run(command, **options):
    """Run a command and return its standard output; fail with all it printed."""
    done = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, check=False, **options
    )
    if done.returncode:
        pytest.fail(f"{command} failed:\n{done.stdout}\n{done.stderr}", pytrace=False)
    return done.stdout


USE_IT = """
import importlib.metadata, json, pathlib, sys
import numpy as np
import rbmnotes as rn

W = np.array([[0.5, -1.0], [2.0, 0.25], [1.0, 1.0]])
rbm = rn.RBM(W)
states = np.array([[i, j, k] for i in (-1, 1) for j in (-1, 1) for k in (-1, 1)])
total = float(np.exp(rbm.log_likelihood(states)).sum() / 8)
data = rn.SpikedModel(alpha=4.0, snr=2.0).sample(d=300, rng=0)
images = rn.fashion_mnist()
found = float(rn.matched_overlap(data.W_star, rn.pca(data.X, 1).W)[0])
print(json.dumps({
    "file": rn.__file__,
    "typed": pathlib.Path(rn.__file__).with_name("py.typed").is_file(),
    "version": rn.__version__,
    "metadata": importlib.metadata.version("rbmnotes"),
    "distributions": [d.metadata["Name"] for d in importlib.metadata.distributions()],
    "modules": sorted({name.partition(".")[0] for name in sys.modules}),
    "total": total,
    "overlap": [found, float(rn.pca_overlap(4.0, 2.0))],
    "images": [images.train.shape, images.test.shape],
}))
"""


def test_wheel_installs_and_works_with_the_core_dependencies_only(tmp_path):
    source, wheels, elsewhere = (tmp_path / name for name in ("source", "wheels", "elsewhere"))
    elsewhere.mkdir()
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(PACKAGE, source / "rbmnotes", ignore=ignored)  # the build writes beside it
    for name in ("pyproject.toml", PROJECT["readme"], *PROJECT["license-files"]):
        shutil.copy(ROOT / name, source / name)
    run([sys.executable, "-m", "pip", "wheel", "--no-deps", "--wheel-dir", wheels, source])
    (wheel,) = wheels.iterdir()

    venv.create(tmp_path / "venv", with_pip=True)
    python = tmp_path / "venv" / ("Scripts" if os.name == "nt" else "bin") / "python"
    constraints = ROOT / "constraints.txt"
    run([python, "-m", "pip", "install", "--constraint", constraints, wheel], cwd=elsewhere)
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    result = json.loads(run([python, "-c", USE_IT], cwd=elsewhere, env=clean))

    assert Path(result["file"]).is_relative_to(tmp_path / "venv")
    assert result["typed"]
    assert result["version"] == result["metadata"] == rbmnotes.__version__
    assert result["total"] == pytest.approx(1.0, abs=1e-12)
    assert result["overlap"][0] == pytest.approx(result["overlap"][1], abs=0.05)
    assert result["images"] == [[60000, 784], [10000, 784]]
    core = {canonicalize_name(Requirement(line).name) for line in PROJECT["dependencies"]}
    installed = {canonicalize_name(name) for name in result["distributions"]}
    assert core <= installed
    assert installed <= core | {"rbmnotes", "llvmlite", "pip", "setuptools"}
    assert not {"matplotlib", "pandas", "IPython"} & set(result["modules"])


# --- where nothing can be written

IMPORT_IT = """
import numpy as np, rbmnotes as rn
from rbmnotes.algorithms import adam
kernels = [v for v in vars(adam).values() if hasattr(v, "py_func")]
assert kernels and not any(hasattr(kernel._cache, "_cache_path") for kernel in kernels)
X, start = np.eye(4)[[0, 1, 2, 3, 0, 1]], np.full((4, 1), 0.5)
print(rn.adam(X, start, 0.1, 3).W.shape)
"""


@pytest.mark.skipif(os.name == "nt", reason="needs the rights of POSIX")
def test_works_where_compiled_functions_cannot_be_kept():
    """No site-packages and no home folder to write to, as in many a container."""
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder, "site")
        shutil.copytree(PACKAGE, tree / "rbmnotes", ignore=shutil.ignore_patterns("__pycache__"))
        for path in (*tree.rglob("*"), tree, Path(folder)):
            path.chmod(0o555 if path.is_dir() else 0o444)
        places = ("PYTHONPATH", "HOME", "NUMBA_CACHE_DIR", "XDG_CACHE_HOME")
        environment = {k: v for k, v in os.environ.items() if k not in places}
        environment |= {"PYTHONPATH": str(tree), "HOME": folder}
        done = run_with_rights_that_count(
            [sys.executable, "-c", IMPORT_IT], env=environment, cwd="/"
        )
        for path in (Path(folder), tree, *tree.rglob("*")):
            path.chmod(0o755)
    assert (done.returncode, done.stdout) == (0, "(4, 1)\n"), done.stderr


# --- CITATION.cff


def test_citation_file():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert {"cff-version", "message", "title", "authors"} <= citation.keys()
    assert citation["cff-version"] == "1.2.0"
    assert citation["type"] == "software"
    assert str(citation["version"]) == rbmnotes.__version__
    assert citation["license"] == PROJECT["license"]
    assert citation["authors"] == PROJECT["authors"]
    (paper,) = citation["references"]
    assert {"type", "title", "authors", "year"} <= paper.keys()
    assert paper["title"] in citation["title"]
    assert paper["title"] in PROJECT["description"]
    assert "arXiv:2505.18046" in {identifier["value"] for identifier in paper["identifiers"]}
