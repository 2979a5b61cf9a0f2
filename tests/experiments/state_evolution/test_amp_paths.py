"""AMP-RBM beside state evolution: what is measured, and in which order."""

import numpy as np
import pandas as pd

from rbmnotes.experiments.state_evolution import amp_paths


def test_paths_come_back_in_the_order_of_theory():
    """A table made of theory itself, shuffled, must equal theory entry by entry."""
    for setting in amp_paths.SETTINGS:
        path = amp_paths.predict_path(setting)
        rows = [
            {"setting": setting, "d": 50, "instance": instance, "t": t}
            | {
                f"{name}{a}{b}": getattr(path, name)[t, a, b]
                for name in "MQV"
                for a, b in np.ndindex(getattr(path, name).shape[1:])
            }
            for instance in range(3)
            for t in range(amp_paths.N_ITER + 1)
        ]
        table = pd.DataFrame(rows).sample(frac=1.0, random_state=0)  # rows, and columns too
        table = table[["V00", *table.columns.drop("V00")]]
        samples, theory = amp_paths.as_paths(table.assign(M99=np.nan), setting, 50)
        assert samples.shape == (3, *theory.shape)
        np.testing.assert_array_equal(samples, np.broadcast_to(theory, samples.shape))
        matrices = [getattr(path, name).reshape(amp_paths.N_ITER + 1, -1) for name in "MQV"]
        np.testing.assert_array_equal(theory, np.hstack(matrices))


def test_measured_path_starts_as_told():
    rows = amp_paths.measure_path({"setting": "two units", "d": 60}, np.random.default_rng(0))
    first = np.array([[rows[0][f"M{a}{b}"] for b in range(2)] for a in range(2)])
    np.testing.assert_allclose(first, amp_paths.SETTINGS["two units"]["M0"], atol=1e-12)
    assert [row["t"] for row in rows] == list(range(amp_paths.N_ITER + 1))
