"""Learning with restricted Boltzmann machines in high dimensions: models, algorithms, theory.

The package behind the reference companion to *Learning with Restricted Boltzmann Machines:
Asymptotics of AMP and GD in High Dimensions* (Xu, Krzakala, Zdeborová, arXiv:2505.18046).
"""

from rbmnotes.algorithms.pca import PCAResult, pca
from rbmnotes.model.objective import (
    Gradient,
    HiddenMoments,
    ModelAverage,
    eta1,
    eta1_gradient,
    eta1_hessian,
    eta2,
    eta2_moments,
    loss,
    loss_gradient,
)
from rbmnotes.model.order_parameters import matched_overlap, overlap
from rbmnotes.model.priors import Bernoulli, Discrete, Gaussian, Prior, Rademacher
from rbmnotes.model.rbm import RBM
from rbmnotes.model.spiked import SpikedData, SpikedModel, teacher_rbm
from rbmnotes.theory.limits import (
    bayes_overlap,
    bbp_snr,
    equal_snr_pca_overlap,
    haar_overlap,
    marchenko_pastur_density,
    outlier_eigenvalue,
    pca_overlap,
)

__version__ = "0.1.0"

__all__ = [
    "RBM",
    "Bernoulli",
    "Discrete",
    "Gaussian",
    "Gradient",
    "HiddenMoments",
    "ModelAverage",
    "PCAResult",
    "Prior",
    "Rademacher",
    "SpikedData",
    "SpikedModel",
    "bayes_overlap",
    "bbp_snr",
    "equal_snr_pca_overlap",
    "eta1",
    "eta1_gradient",
    "eta1_hessian",
    "eta2",
    "eta2_moments",
    "haar_overlap",
    "loss",
    "loss_gradient",
    "marchenko_pastur_density",
    "matched_overlap",
    "outlier_eigenvalue",
    "overlap",
    "pca",
    "pca_overlap",
    "teacher_rbm",
]
