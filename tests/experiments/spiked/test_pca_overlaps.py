"""PCA beside the BBP theory: what is measured."""

import numpy as np
import pytest

import rbmnotes as rn
from rbmnotes.experiments.spiked import pca_overlaps


def test_pca_table_measures_what_it_says():
    model = rn.SpikedModel(2.0, 1.5)
    table = pca_overlaps.pca_table(model, {60: 2}, seed=9)
    streams = np.random.SeedSequence(9).spawn(2)
    data = model.sample(60, np.random.default_rng(streams[1]))
    left, values, right = np.linalg.svd(data.X)
    row = table.iloc[1]
    cosine = right[0] @ data.W_star[:, 0] / np.linalg.norm(data.W_star)
    assert row.overlap_w == pytest.approx(abs(cosine))
    assert row.overlap_u == pytest.approx(abs(left[:, 0] @ data.U[:, 0]) / np.linalg.norm(data.U))
    assert row.eigenvalue == pytest.approx(values[0] ** 2 / 60)
