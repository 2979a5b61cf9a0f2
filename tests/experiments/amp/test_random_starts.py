"""AMP-RBM from random starts: what counts as success."""

import numpy as np

from rbmnotes.experiments.amp import random_starts


def test_random_start_is_judged_by_gradient_cap_and_signals():
    """Two units on two strong signals find both; nothing is found at a third of the threshold."""
    row = random_starts.measure_start({"k": 2, "snr": 2.0, "d": 200}, np.random.default_rng(1))
    assert row["success"]
    assert row["gradient_size"] < random_starts.GRADIENT
    assert not row["capped"]
    assert 0.8 < row["smallest_overlap"] <= row["largest_overlap"] < 1.0
    row = random_starts.measure_start({"k": 1, "snr": 0.2, "d": 200}, np.random.default_rng(1))
    assert not row["success"]
    assert row["smallest_overlap"] < random_starts.FOUND
