"""PCA beside the BBP theory: what is measured, and its limits."""

import numpy as np
import pytest

import rbmnotes as rn
from rbmnotes.experiments.registry import load_results
from rbmnotes.experiments.spiked import channels, pca_overlaps

POINT = {"alpha": 2.0, "snr": 1.5, "r": 1, "prior": "Rademacher", "channel": "s + z", "d": 60}


def test_pca_measures_what_it_says():
    row = pca_overlaps.measure_pca(POINT, np.random.default_rng(9))
    data = rn.SpikedModel(2.0, 1.5).sample(60, np.random.default_rng(9))
    left, values, right = np.linalg.svd(data.X)
    cosine = right[0] @ data.W_star[:, 0] / np.linalg.norm(data.W_star)
    assert row["overlap_w"] == pytest.approx(abs(cosine))
    cosine = left[:, 0] @ data.U[:, 0] / np.linalg.norm(data.U)
    assert row["overlap_u"] == pytest.approx(abs(cosine))
    assert row["eigenvalue"] == pytest.approx(values[0] ** 2 / 60)


def test_a_point_names_its_model():
    model = pca_overlaps.spiked_model(
        POINT | {"r": 2, "prior": "Gaussian", "channel": "tanh(s + z)"}
    )
    gaussian = rn.Gaussian()
    assert model == rn.SpikedModel(2.0, (1.5, 1.5), gaussian, gaussian, channels.saturating)


def test_limits_of_one_signal():
    row = pca_overlaps.predict_pca(POINT)
    assert row["overlap_w_theory"] == pytest.approx(rn.pca_overlap(2.0, 1.5), rel=1e-12)
    assert row["overlap_u_theory"] == pytest.approx(rn.pca_overlap(2.0, 1.5, of="u"), rel=1e-12)
    assert row["eigenvalue_theory"] == rn.outlier_eigenvalue(2.0, 1.5)
    assert row["overlap_w_theory_error"] == row["overlap_u_theory_error"] == 0.0


def test_limits_through_a_channel_are_those_of_a_weaker_signal():
    row = pca_overlaps.predict_pca(POINT | {"channel": "sign(s + z)"})
    snr = np.sqrt(2 / np.pi) * 1.5
    assert row["overlap_w_theory"] == pytest.approx(rn.pca_overlap(2.0, snr), rel=1e-6)
    assert row["eigenvalue_theory"] == pytest.approx(rn.outlier_eigenvalue(2.0, snr), rel=1e-6)


@pytest.mark.parametrize("prior", pca_overlaps.PRIORS)
def test_latent_variables_of_equal_signals_are_mixed_as_the_signals_are(prior):
    # one basis for both sides: the ratio of their overlaps is that of a single signal
    row = pca_overlaps.predict_pca(POINT | {"r": 2, "prior": prior})
    ratio = rn.pca_overlap(2.0, 1.5, of="u") / rn.pca_overlap(2.0, 1.5)
    errors = [row[f"overlap_{of}_theory_error"] / row[f"overlap_{of}_theory"] for of in "wu"]
    assert 0 < np.hypot(*errors) < 0.002
    found = row["overlap_u_theory"] / row["overlap_w_theory"]
    assert found == pytest.approx(ratio, rel=4 * np.hypot(*errors))


def test_what_is_stored_is_found_beside_its_theory():
    table = load_results("pca", "paper")
    for snr in (*pca_overlaps.SNR, pca_overlaps.WEAK_SNR):
        sizes, instances, theory = pca_overlaps.beside_theory(table, "overlap_u", snr=snr)
        expected = (
            pca_overlaps.INSTANCES if snr in pca_overlaps.SNR else pca_overlaps.WEAK_INSTANCES
        )
        assert dict(zip(sizes.tolist(), map(len, instances), strict=True)) == expected
        assert theory == pytest.approx(rn.pca_overlap(pca_overlaps.ALPHA, snr, of="u"), rel=1e-12)
    for name in pca_overlaps.NONLINEAR:
        sizes, _, theory = pca_overlaps.beside_theory(table, "eigenvalue", channel=name)
        assert sizes.tolist() == [*pca_overlaps.CHANNEL_INSTANCES]
        assert 9.0 < theory <= rn.outlier_eigenvalue(4.0, pca_overlaps.CHANNEL_SNR) * (1 + 1e-9)
    with pytest.raises(ValueError, match="several points"):
        pca_overlaps.beside_theory(table, "overlap_w", r=2)
