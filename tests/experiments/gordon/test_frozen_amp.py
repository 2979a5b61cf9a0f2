"""AMP frozen at a fixed point: the covariance of its iterates, and the loss at its end."""

import numpy as np
import pytest

from rbmnotes import fixed_point
from rbmnotes.evidence import compare_paths
from rbmnotes.experiments.gordon.frozen_amp import frozen_amp
from rbmnotes.theory.extensions.amp_change import covariance_path


@pytest.mark.parametrize("snr", [1.2, 0.8])
def test_frozen_iterates_follow_the_covariance_map(snr):
    """On both sides of the replicon line, 24 runs at d = 600; a map 3 % too small must fail."""
    point = fixed_point(4.0, snr)
    runs = [frozen_amp(point, 4.0, snr, 600, 8, (21, i))[:, 0] for i in range(24)]
    theory = covariance_path(point, 4.0, snr, 8)
    assert compare_paths(runs, theory).verdict == "agrees"
    assert compare_paths(runs, 0.97 * theory).verdict == "disagrees"


def test_frozen_iterates_reach_the_loss_where_the_replicon_allows():
    point = fixed_point(4.0, 1.2)
    losses = [frozen_amp(point, 4.0, 1.2, 400, 12, (12, i))[-1, 2] for i in range(24)]
    error = np.std(losses, ddof=1) / np.sqrt(24)
    assert abs(np.mean(losses) - point.loss) < 4.5 * error
    assert abs(np.mean(losses) - 0.9 * point.loss) > 4.5 * error
