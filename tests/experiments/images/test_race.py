import builtins
import sys

import numba
import numpy as np
import pytest

from rbmnotes import Bernoulli
from rbmnotes.experiments.images import race
from rbmnotes.experiments.images.peers import Ours, Rbms, ScikitLearn

TRAIN = np.where(np.random.default_rng(0).random((300, 7)) < 0.4, 1, -1).astype(np.int8)
SETTING = {"learning_rate": 0.1, "batch_size": 500, "budget": 0.05}


def test_scikit_learns_machine_is_translated():
    # its own free energy and our exact likelihood differ by a constant; its data are float32
    pytest.importorskip("sklearn", reason="scikit-learn is an optional dependency")
    peer = ScikitLearn(TRAIN, 3, 0.3, 100)
    for _ in range(3):
        peer.visit()
    difference = peer.model._free_energy((TRAIN + 1) / 2) + peer.rbm.log_likelihood(TRAIN)
    np.testing.assert_allclose(difference, difference[0], atol=1e-5)


@pytest.mark.parametrize("options", [{}, {"cycles": 2, "persistent": True}], ids=repr)
def test_the_machine_of_rbms_is_translated(options):
    # as above, with its energy summed over the hidden units; its numbers are float32
    pytest.importorskip("rbms", reason="the package rbms is an optional peer")
    peer = Rbms(TRAIN, 3, 0.1, 100, **options)
    for _ in range(3):
        peer.visit(slice(0, 200))
    energies = peer._params.compute_energy_visibles(peer._X).numpy()
    difference = energies + peer.rbm.log_likelihood(TRAIN)
    np.testing.assert_allclose(difference, difference[0], atol=1e-4)


def test_ours_is_the_training_of_the_package():
    one, other = (Ours(TRAIN, 3, 0.1, 50, seed=1, method="exact") for _ in range(2))
    one.visit(np.arange(100))
    other._training.epoch(TRAIN[:100])
    np.testing.assert_array_equal(one.rbm.W, other.rbm.W)
    assert one.rbm.hidden == Bernoulli()


@pytest.mark.parametrize("name", ["exact", "CD-1"])
def test_a_race_uses_up_its_budget(name):
    threads = numba.get_num_threads()
    rows = race.measure_race({"name": name, **SETTING}, np.random.default_rng(0))
    seconds, scores = (np.array([row[key] for row in rows]) for key in ("seconds", "exact"))
    assert np.all(np.diff(seconds) > 0)
    assert seconds[-1] >= SETTING["budget"]
    assert len(rows) == 1 or seconds[-2] < SETTING["budget"]
    # better than a fair coin a pixel, worse than what thirty passes reach
    assert -784 * np.log(2) < scores.min() <= scores.max() < -195
    assert not any(row["skipped"] for row in rows)
    assert numba.get_num_threads() == threads


def test_a_missing_peer_is_skipped_with_a_clear_line(monkeypatch, capsys):
    load = builtins.__import__

    def without(name, *args, **kwargs):
        if name.partition(".")[0] in ("sklearn", "torch", "rbms"):
            raise ImportError(f"No module named {name!r}")
        return load(name, *args, **kwargs)

    for name in [name for name in sys.modules if name.partition(".")[0] == "sklearn"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(builtins, "__import__", without)
    for name, module in (("scikit-learn", "sklearn"), ("rbms CD-1", "torch")):
        rows = race.measure_race({"name": name, **SETTING}, np.random.default_rng(0))
        assert [row["skipped"] for row in rows] == [True]
        assert np.isnan(rows[0]["exact"])
        assert f"{name} is skipped: No module named '{module}" in capsys.readouterr().out
