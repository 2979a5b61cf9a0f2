"""Learning with restricted Boltzmann machines in high dimensions: models, algorithms, theory.

The package behind the reference companion to *Learning with Restricted Boltzmann Machines:
Asymptotics of AMP and GD in High Dimensions* (Xu, Krzakala, Zdeborová, arXiv:2505.18046).
"""

from rbmnotes.algorithms.amp_rbm import AMPHistory, AMPResult, amp_rbm
from rbmnotes.algorithms.bayes_amp import BayesAMPHistory, BayesAMPResult, bayes_amp
from rbmnotes.algorithms.contrastive import contrastive_divergence
from rbmnotes.algorithms.decimation_amp import DecimationResult, decimation_amp
from rbmnotes.algorithms.descent import (
    DescentHistory,
    DescentResult,
    adam,
    gradient_descent,
)
from rbmnotes.algorithms.pca import PCAResult, pca
from rbmnotes.algorithms.starts import independent_start, informed_start, spectral_start
from rbmnotes.datasets.fashion_mnist import FashionMNIST, fashion_mnist
from rbmnotes.likelihood.epochs import RBMTraining
from rbmnotes.likelihood.restoration import posterior_mean
from rbmnotes.likelihood.train_rbm import TrainingHistory, TrainingResult, train_rbm
from rbmnotes.model.continuous import Continuous
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
from rbmnotes.model.spiked import SpikedData, SpikedModel, teacher_rbm
from rbmnotes.theory.bayes import (
    BayesStateEvolution,
    bayes_log_evidence,
    bayes_state_evolution,
)
from rbmnotes.theory.bayes_limit import bayes_overlap
from rbmnotes.theory.dmft import DMFT, dmft
from rbmnotes.theory.extensions.bayes_pair import (
    BayesPairEvolution,
    BayesStageEvolution,
    bayes_pair_evolution,
    bayes_stage_evolution,
)
from rbmnotes.theory.extensions.contrastive_bias import ContrastivePoint, contrastive_fixed_point
from rbmnotes.theory.extensions.emergence import (
    amp_gain,
    emergence_time,
    leading_time,
    linear_overlaps,
)
from rbmnotes.theory.extensions.gibbs_rate import gibbs_rate
from rbmnotes.theory.extensions.pca_basis import equal_snr_pca_overlap, haar_overlap
from rbmnotes.theory.extensions.replica import OneStepRSB, one_step_rsb
from rbmnotes.theory.gordon import gordon_gradient, gordon_potential
from rbmnotes.theory.limits import (
    bbp_snr,
    marchenko_pastur_density,
    outlier_eigenvalue,
    pca_overlap,
)
from rbmnotes.theory.moreau import moreau_average
from rbmnotes.theory.optimum import GlobalOptimum, global_optimum
from rbmnotes.theory.phase_diagram import (
    Branch,
    branches,
    finite_norm_threshold,
    overlap_free_edge,
    replicon_threshold,
    response_edge,
)
from rbmnotes.theory.state_evolution import (
    FixedPoint,
    StateEvolution,
    fixed_point,
    state_evolution,
)

__version__ = "0.1.0"

__all__ = [
    "DMFT",
    "RBM",
    "AMPHistory",
    "AMPResult",
    "BayesAMPHistory",
    "BayesAMPResult",
    "BayesPairEvolution",
    "BayesStageEvolution",
    "BayesStateEvolution",
    "Bernoulli",
    "Branch",
    "Continuous",
    "ContrastivePoint",
    "DecimationResult",
    "DescentHistory",
    "DescentResult",
    "Discrete",
    "FashionMNIST",
    "FixedPoint",
    "Gaussian",
    "GlobalOptimum",
    "Gradient",
    "HiddenMoments",
    "ModelAverage",
    "MultiplierStep",
    "OneStepRSB",
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
    "adam",
    "amp_gain",
    "amp_rbm",
    "bayes_amp",
    "bayes_log_evidence",
    "bayes_overlap",
    "bayes_pair_evolution",
    "bayes_stage_evolution",
    "bayes_state_evolution",
    "bbp_snr",
    "branches",
    "contrastive_divergence",
    "contrastive_fixed_point",
    "decimation_amp",
    "dmft",
    "emergence_time",
    "equal_snr_pca_overlap",
    "eta1",
    "eta1_gradient",
    "eta1_hessian",
    "eta2",
    "eta2_moments",
    "fashion_mnist",
    "finite_norm_threshold",
    "fixed_point",
    "gibbs_rate",
    "global_optimum",
    "gordon_gradient",
    "gordon_potential",
    "gradient_descent",
    "haar_overlap",
    "independent_start",
    "informed_start",
    "leading_time",
    "linear_overlaps",
    "loss",
    "loss_gradient",
    "marchenko_pastur_density",
    "matched_overlap",
    "moreau_average",
    "multiplier_step",
    "one_step_rsb",
    "outlier_eigenvalue",
    "overlap",
    "overlap_free_edge",
    "pca",
    "pca_overlap",
    "posterior_mean",
    "proximal_map",
    "replicon_threshold",
    "response_bound",
    "response_edge",
    "spectral_start",
    "state_evolution",
    "teacher_rbm",
    "train_rbm",
]
