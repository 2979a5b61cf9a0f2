"""Learning with restricted Boltzmann machines in high dimensions: models, algorithms, theory.

The package behind the reference companion to *Learning with Restricted Boltzmann Machines:
Asymptotics of AMP and GD in High Dimensions* (Xu, Krzakala, Zdeborová, arXiv:2505.18046).
"""

from rbmnotes.algorithms.amp_rbm import AMPHistory, AMPResult, amp_rbm
from rbmnotes.algorithms.bayes_amp import BayesAMPHistory, BayesAMPResult, bayes_amp
from rbmnotes.algorithms.decimation_amp import DecimationResult, decimation_amp
from rbmnotes.algorithms.likelihood_training import TrainingHistory, TrainingResult, train_rbm
from rbmnotes.algorithms.pca import PCAResult, pca
from rbmnotes.algorithms.rbm_training import RBMTraining
from rbmnotes.algorithms.starts import independent_start, informed_start, spectral_start
from rbmnotes.datasets.fashion_mnist import FashionMNIST, fashion_mnist
from rbmnotes.model.multiplier import MultiplierStep, multiplier_step
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
from rbmnotes.model.proximal import ProximalMap, proximal_map, response_bound
from rbmnotes.model.rbm import RBM
from rbmnotes.model.restoration import posterior_mean
from rbmnotes.model.spiked import SpikedData, SpikedModel, teacher_rbm
from rbmnotes.theory.bayes import (
    BayesStateEvolution,
    bayes_log_evidence,
    bayes_state_evolution,
)
from rbmnotes.theory.limits import (
    bayes_overlap,
    bbp_snr,
    equal_snr_pca_overlap,
    haar_overlap,
    marchenko_pastur_density,
    outlier_eigenvalue,
    pca_overlap,
)
from rbmnotes.theory.state_evolution import (
    FixedPoint,
    StateEvolution,
    fixed_point,
    state_evolution,
)

__version__ = "0.1.0"

__all__ = [
    "RBM",
    "AMPHistory",
    "AMPResult",
    "BayesAMPHistory",
    "BayesAMPResult",
    "BayesStateEvolution",
    "Bernoulli",
    "DecimationResult",
    "Discrete",
    "FashionMNIST",
    "FixedPoint",
    "Gaussian",
    "Gradient",
    "HiddenMoments",
    "ModelAverage",
    "MultiplierStep",
    "PCAResult",
    "Prior",
    "ProximalMap",
    "RBMTraining",
    "Rademacher",
    "SpikedData",
    "SpikedModel",
    "StateEvolution",
    "TrainingHistory",
    "TrainingResult",
    "amp_rbm",
    "bayes_amp",
    "bayes_log_evidence",
    "bayes_overlap",
    "bayes_state_evolution",
    "bbp_snr",
    "decimation_amp",
    "equal_snr_pca_overlap",
    "eta1",
    "eta1_gradient",
    "eta1_hessian",
    "eta2",
    "eta2_moments",
    "fashion_mnist",
    "fixed_point",
    "haar_overlap",
    "independent_start",
    "informed_start",
    "loss",
    "loss_gradient",
    "marchenko_pastur_density",
    "matched_overlap",
    "multiplier_step",
    "outlier_eigenvalue",
    "overlap",
    "pca",
    "pca_overlap",
    "posterior_mean",
    "proximal_map",
    "response_bound",
    "spectral_start",
    "state_evolution",
    "teacher_rbm",
    "train_rbm",
]
