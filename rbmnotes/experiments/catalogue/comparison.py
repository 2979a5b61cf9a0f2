"""Signals of equal strength, and Bayes-optimal AMP."""

from __future__ import annotations

from rbmnotes.experiments.bayes import many_signals
from rbmnotes.experiments.bayes import beside_pca
from rbmnotes.experiments.bayes import one_signal
from rbmnotes.experiments.bayes import first_stage
from rbmnotes.experiments.comparison import methods
from rbmnotes.experiments.comparison import solution_time
from rbmnotes.experiments.comparison import ten_units
from rbmnotes.experiments.comparison.equal_signals import (
    INSTANCES,
    PRIORS_W,
    QUICK_SIZES,
    QUICK_SNR,
    SIZES,
    equal_signals_grid,
)
from rbmnotes.experiments.engine.experiment import Experiment, Scale, by_size, grid

_QUICK_COMPARISON = [
    point
    for point in methods.comparison_grid(QUICK_SIZES, QUICK_SNR)
    if point["r"] == 2 or (point["prior_w"], point["snr"]) == ("Rademacher", max(QUICK_SNR))
]


_BAYES_LAWS = {"prior_u": one_signal.LAWS, "prior_w": one_signal.LAWS}


_BAYES_COMPARISON = tuple(
    point
    for r, d in SIZES.items()
    for point in equal_signals_grid(many_signals.SNR[r], {r: d}, PRIORS_W)
)

EXPERIMENTS = (
    Experiment(
        name="comparison",
        version=1,
        description="Equal signals: AMP-RBM, Adam, CD and PCA beside theory (Figure 5)",
        measure=methods.measure_comparison,
        predict=methods.predict_comparison,
        scales={
            "quick": Scale(_QUICK_COMPARISON, 4),
            "paper": Scale(methods.comparison_grid(), INSTANCES),
        },
        figure=5,
    ),
    Experiment(
        name="equal_pca",
        version=1,
        description="Equal signals: PCA at three sizes, for the basis it picks",
        measure=methods.measure_equal_pca,
        scales={
            "quick": Scale(*methods.pca_grid({2: {100: 10, 200: 10}})),
            "paper": Scale(*methods.pca_grid(methods.PCA_INSTANCES)),
        },
    ),
    Experiment(
        name="units_by_size",
        version=1,
        description="Ten units on ten equal signals: AMP-RBM at three sizes, for Corollary 1",
        measure=ten_units.measure_units_by_size,
        predict=ten_units.predict_units_by_size,
        scales={
            "quick": Scale(grid(d=[100, 150], snr=[1.6]), 2),
            "paper": by_size(ten_units.SIZE_INSTANCES, snr=ten_units.SIZE_SNR),
        },
    ),
    Experiment(
        name="equal_rate",
        version=1,
        description="Ten units: contrastive divergence beside gradient descent at one rate",
        measure=ten_units.measure_equal_rate,
        scales={
            "quick": Scale(grid(snr=[1.6], d=[100], n_steps=[50]), 2),
            "paper": Scale(
                grid(
                    snr=[ten_units.RATE_SNR],
                    d=[ten_units.RATE_D],
                    n_steps=[ten_units.RATE_STEPS[-1]],
                ),
                ten_units.RATE_INSTANCES,
            ),
        },
    ),
    Experiment(
        name="solution_time",
        version=1,
        description="Seconds to a small gradient, equal signals, four methods (use one job)",
        measure=solution_time.measure_solution_time,
        scales={
            "quick": Scale(grid(r=solution_time.RANKS, d=[200]), 2),
            "paper": Scale(
                grid(r=solution_time.RANKS, d=[solution_time.D]),
                solution_time.INSTANCES,
            ),
        },
    ),
    Experiment(
        name="bayes_paths",
        version=1,
        description="Bayes-optimal AMP with one signal against its state evolution, by iteration",
        measure=one_signal.measure_bayes_path,
        scales={
            "quick": Scale(grid(d=[100, 200], **_BAYES_LAWS), 10),
            "paper": by_size(one_signal.PATH_INSTANCES, **_BAYES_LAWS),
        },
    ),
    Experiment(
        name="bayes_points",
        version=2,
        description="Bayes-optimal AMP with one signal: overlap and log evidence where it settles",
        measure=one_signal.measure_bayes_point,
        predict=one_signal.predict_bayes_point,
        scales={
            "quick": Scale(grid(snr=[1.4], d=[100, 200], **_BAYES_LAWS), 5),
            "paper": by_size(
                one_signal.POINT_INSTANCES, snr=one_signal.POINT_SNR, **_BAYES_LAWS
            ),
        },
    ),
    Experiment(
        name="bayes_points_again",
        version=1,
        description="The points with one signal once more, to judge what the first runs left open",
        measure=one_signal.measure_bayes_point,
        predict=one_signal.predict_bayes_point,
        scales={
            "quick": Scale(grid(snr=[1.4], d=[100, 200], **_BAYES_LAWS), 5),
            "paper": by_size(
                one_signal.AGAIN_INSTANCES, snr=one_signal.POINT_SNR, **_BAYES_LAWS
            ),
        },
    ),
    Experiment(
        name="bayes_comparison",
        version=1,
        description="Equal signals: Bayes-optimal AMP, decimation and PCA (Figure 6)",
        measure=many_signals.measure_bayes_comparison,
        predict=many_signals.predict_bayes_comparison,
        scales={
            "quick": Scale(
                equal_signals_grid(many_signals.QUICK_SNR, QUICK_SIZES, PRIORS_W), 2
            ),
            "paper": Scale(_BAYES_COMPARISON, INSTANCES),
        },
        figure=6,
    ),
    Experiment(
        name="bayes_limit",
        version=1,
        description="Equal signals: Bayes-optimal AMP from a random start, extrapolated in d",
        measure=many_signals.measure_bayes_limit,
        predict=many_signals.predict_bayes_limit,
        scales={
            "quick": Scale(grid(r=[2, 10], d=[100, 200], prior_w=PRIORS_W, snr=[1.2]), 3),
            "paper": by_size(
                many_signals.LIMIT_INSTANCES,
                r=[2, 10],
                prior_w=PRIORS_W,
                snr=[many_signals.LIMIT_SNR],
            ),
        },
    ),
    Experiment(
        name="bayes_map",
        version=1,
        description="Equal signals: Bayes-optimal AMP beside PCA over strength, size and iteration",
        measure=beside_pca.measure_bayes_map,
        scales={
            "quick": Scale(*beside_pca.map_grid({2: {100: 2}, 10: {100: 2}}, (0.8,))),
            "paper": Scale(*beside_pca.map_grid(beside_pca.INSTANCES)),
        },
    ),
    Experiment(
        name="first_stage",
        version=1,
        description="Ten equal signals: how pure decimation's first estimate is, by dimension",
        measure=first_stage.measure_first_stage,
        scales={
            "quick": Scale(grid(prior_w=PRIORS_W, d=[100, 150]), 2),
            "paper": by_size(first_stage.INSTANCES, prior_w=["Gaussian"]),
        },
    ),
)
