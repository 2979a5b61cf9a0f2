r"""Who separates signals of equal strength? AMP-RBM, Adam, CD and PCA on the same data (Figure 5).

As many units as signals, and every method that descends starts from the same standard normal
weights. Strengths and sizes are those that Figures 5 and 6 share; what follows was fixed before
the runs.
"""

from __future__ import annotations

import numpy as np

from rbmnotes.algorithms.amp_rbm import amp_rbm
from rbmnotes.algorithms.contrastive import contrastive_divergence
from rbmnotes.algorithms.descent import adam
from rbmnotes.algorithms.pca import pca
from rbmnotes.algorithms.starts import random_start
from rbmnotes.experiments.comparison.equal_signals import (
    ALPHA,
    INSTANCES,
    PRIORS_W,
    QUICK_SIZES,
    QUICK_SNR,
    SIZES,
    equal_signals_grid,
    model_of,
)
from rbmnotes.experiments.engine.experiment import Experiment, Scale
from rbmnotes.model.objective import loss
from rbmnotes.model.order_parameters import matched_overlap
from rbmnotes.model.priors import Gaussian
from rbmnotes.theory.bayes_limit import bayes_overlap
from rbmnotes.theory.extensions.pca_basis import equal_snr_pca_overlap, haar_overlap
from rbmnotes.theory.limits import pca_overlap
from rbmnotes.theory.state_evolution import fixed_point

STRENGTHS = {
    (2, "Rademacher"): (0.6, 0.8, 1.0, 1.1, 1.2, 1.4, 1.6, 2.0),
    (10, "Rademacher"): (0.8, 1.0, 1.1, 1.2, 1.4, 1.6, 2.0),
    (2, "Gaussian"): (1.2, 1.6),
    (10, "Gaussian"): (1.2, 1.6),
}
"""Strengths by rank and law of the signals: some of the shared ones, to save time.

Fewer with Gaussian signals, as training an RBM does not see the law of the signals: only PCA's
basis and the Bayes-optimal overlap depend on it.
"""

CD_SNR = (0.8, 1.0, 1.2, 1.4, 1.6)
"""Strengths at which contrastive divergence runs too, on signals made of signs."""

AMP_ITER, AMP_CHANGE = 200, 1e-5
"""Iterations, and the change of the weights at which AMP-RBM stops: data are single precision."""

ADAM_RATE, ADAM_ITER, ADAM_GRADIENT = 0.2, 400, 1e-3
"""As in the experiment ``descent``."""

CD_RATE, CD_ITER = 0.05, 300
r"""CD-1 with all samples in a step and Gaussian visible units, those of the data's teacher RBM.

Rademacher ones give the same to leading order and cost several times more, as every one is drawn.

Two units that push each other apart with curvature $\alpha(Q_{11}+Q_{22})$ bear rates up to
$2/(\alpha(Q_{11}+Q_{22}))$, which is 0.055 for the largest $Q_{aa}\approx4.6$ there is; more would
not settle, less would be slower still.
"""

N_BASES = 5000
"""Random bases drawn for the prediction of PCA."""


def comparison_grid(sizes=SIZES, strengths=None) -> tuple[dict, ...]:
    """Return the points, each of which says for how many steps CD runs, ``cd_iter``.

    Parameters
    ----------
    sizes : dict
        Rank to dimension.
    strengths : sequence of float, optional
        For all priors, and CD at every one; default the paper scale's.

    Returns
    -------
    tuple of dict
    """
    if strengths is not None:
        return tuple(p | {"cd_iter": CD_ITER} for p in equal_signals_grid(strengths, sizes))
    points = [
        point
        for (r, prior_w), chosen in STRENGTHS.items()
        for point in equal_signals_grid(chosen, {r: sizes[r]}, (prior_w,))
    ]

    def cd_iter(point):
        runs = point["prior_w"] == "Rademacher" and point["snr"] in CD_SNR
        return CD_ITER if runs else 0

    return tuple(point | {"cd_iter": cd_iter(point)} for point in points)


def measure_comparison(parameters: dict, rng: np.random.Generator) -> list[dict]:
    """Draw data and a start once, and run every method on them.

    Parameters
    ----------
    parameters : dict
        ``r`` signals and units, ``d``, ``prior_w`` (a name), ``snr`` and ``cd_iter``, zero for no
        contrastive divergence.
    rng : numpy.random.Generator

    Returns
    -------
    list of dict
        A row a method: ``method``, the mean matched ``overlap`` and the ``smallest``, ``loss``
        (that of the objective at W, zero at W = 0; NaN for PCA), ``gradient_size``, ``n_iter`` and
        ``converged``, which PCA always is and CD never.
    """
    r, d = parameters["r"], parameters["d"]
    data = model_of(parameters).sample(d, rng)
    X, W0 = data.X.astype(np.float32), random_start(d, r, rng)
    rows = []

    def record(method, W, value=np.nan, gradient_size=np.nan, n_iter=0, converged=True):
        cosines = matched_overlap(data.W_star, W)
        rows.append(
            {
                "method": method,
                "overlap": float(cosines.mean()),
                "smallest": float(cosines.min()),
                "loss": float(value),
                "gradient_size": float(gradient_size),
                "n_iter": n_iter,
                "converged": converged,
            }
        )

    record("PCA", pca(X, r).W)
    fit = amp_rbm(X, start=W0, V0=0.1 * np.eye(r), tol=AMP_CHANGE, max_iter=AMP_ITER)
    record(
        *("AMP-RBM", fit.W, loss(X, fit.W)),
        *(fit.gradient_size, fit.n_iter, fit.converged),
    )
    runs = {"Adam": adam(X, W0, ADAM_RATE, ADAM_ITER, tol=ADAM_GRADIENT)}
    if parameters["cd_iter"]:
        runs["CD"] = contrastive_divergence(
            X, W0, CD_RATE, parameters["cd_iter"], visible=Gaussian(), rng=rng
        )
    for method, run in runs.items():
        end = (run.history.loss[-1], run.history.gradient_size[-1])
        record(method, run.W, *end, run.n_iter, run.converged)
    return rows


def predict_comparison(parameters: dict) -> dict:
    """Return the limits of the overlap.

    Parameters
    ----------
    parameters : dict
        As for :func:`measure_comparison`.

    Returns
    -------
    dict
        For one signal, which Corollary 1 carries over to many: ``rbm_theory`` with its
        ``replicon``, ``bayes_theory`` and ``pca_theory``. For PCA on equal signals:
        ``pca_equal_theory`` with its Monte-Carlo error, and ``pca_haar``, the paper's.
    """
    snr, r, prior_w = parameters["snr"], parameters["r"], PRIORS_W[parameters["prior_w"]]
    point = fixed_point(ALPHA, snr)
    basis, error = equal_snr_pca_overlap(ALPHA, snr, r, prior_w=prior_w, n_samples=N_BASES)
    reached = float(pca_overlap(ALPHA, snr))
    return {
        "rbm_theory": abs(point.overlap),
        "replicon": point.replicon,
        "bayes_theory": bayes_overlap(ALPHA, snr, prior_w=prior_w),
        "pca_theory": reached,
        "pca_equal_theory": basis,
        "pca_equal_error": error,
        "pca_haar": reached * haar_overlap(r, N_BASES)[0],
    }


_QUICK = [
    point
    for point in comparison_grid(QUICK_SIZES, QUICK_SNR)
    if point["r"] == 2 or (point["prior_w"], point["snr"]) == ("Rademacher", max(QUICK_SNR))
]


EXPERIMENTS = (
    Experiment(
        name="comparison",
        version=1,
        description="Equal signals: AMP-RBM, Adam, CD and PCA beside theory (Figure 5)",
        measure=measure_comparison,
        predict=predict_comparison,
        scales={
            "quick": Scale(_QUICK, 4),
            "paper": Scale(comparison_grid(), INSTANCES),
        },
        figure=5,
    ),
)
