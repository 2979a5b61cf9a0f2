"""Every public function refuses bad input before any work, and names the argument."""

import numpy as np
import pytest

import rbmnotes as rn
from rbmnotes import RBM, Bernoulli, Discrete, Gaussian, Rademacher, SpikedModel

X, W = np.ones((7, 5)), np.full((5, 2), 0.1)
NAN_X, NAN_W = X * np.nan, W * np.inf
MODEL, MACHINE = SpikedModel(2.0, 1.2), RBM(W)
TEXT = [["a", "b"], ["c", "d"]]
RAGGED = [[1.0, 2.0], [3.0]]

# name of the argument, and a call that gets a bad one
CASES = {
    # priors
    "probabilities that do not sum to one": (
        "probabilities",
        lambda: Discrete((0.0, 1.0), (0.5, 0.6)),
    ),
    "probabilities just off one": ("probabilities", lambda: Discrete((0, 1), (0.5, 0.5 + 1e-9))),
    "probability zero": ("probabilities", lambda: Discrete((0.0, 1.0), (1.0, 0.0))),
    "probability negative": ("probabilities", lambda: Discrete((0.0, 1.0), (1.5, -0.5))),
    "probabilities too few": ("probabilities", lambda: Discrete((0.0, 1.0, 2.0), (0.5, 0.5))),
    "probabilities NaN": ("probabilities", lambda: Discrete((0.0, 1.0), (0.5, np.nan))),
    "support repeated": ("support", lambda: Discrete((1.0, 1.0), (0.5, 0.5))),
    "support infinite": ("support", lambda: Discrete((0.0, np.inf), (0.5, 0.5))),
    "support empty": ("support", lambda: Discrete((), ())),
    "support a number": ("support", lambda: Discrete(1.0, 1.0)),
    "prior's rng a word": ("rng", lambda: Rademacher().sample(3, "seed")),
    "Gaussian's rng negative": ("rng", lambda: Gaussian().sample(3, -1)),
    "Bernoulli's rng a float": ("rng", lambda: Bernoulli().sample_tilted(np.zeros(3), 0.5)),
    "Discrete's rng a list": ("rng", lambda: Discrete((0, 1), (0.5, 0.5)).sample(3, ["a"])),
    # eta1, eta2
    "eta1 number": ("z", lambda: rn.eta1(1.0)),
    "eta1 NaN": ("z", lambda: rn.eta1([np.nan, 0.0])),
    "eta1 text": ("z", lambda: rn.eta1(["a", "b"])),
    "eta1 ragged": ("z", lambda: rn.eta1(RAGGED)),
    "eta1 complex": ("z", lambda: rn.eta1([1j])),
    "eta1 unknown prior": ("hidden", lambda: rn.eta1([0.0], "rademacher")),
    "eta1_gradient number": ("z", lambda: rn.eta1_gradient(0.0)),
    "eta1_gradient infinite": ("z", lambda: rn.eta1_gradient([np.inf])),
    "eta1_gradient prior a class": ("hidden", lambda: rn.eta1_gradient([0.0], Rademacher)),
    "eta1_hessian number": ("z", lambda: rn.eta1_hessian(0.0)),
    "eta1_hessian prior None": ("hidden", lambda: rn.eta1_hessian([0.0], None)),
    "eta2 not square": ("Q", lambda: rn.eta2(np.ones((2, 3)))),
    "eta2 number": ("Q", lambda: rn.eta2(1.0)),
    "eta2 empty": ("Q", lambda: rn.eta2(np.zeros((0, 0)))),
    "eta2 NaN": ("Q", lambda: rn.eta2([[np.nan]])),
    "eta2 text": ("Q", lambda: rn.eta2(TEXT)),
    "eta2 number strings": ("Q", lambda: rn.eta2([["1", "0"], ["0", "1"]])),
    "eta2 complex": ("Q", lambda: rn.eta2(np.eye(2) * (1 + 2j))),
    "eta2 ragged": ("Q", lambda: rn.eta2(RAGGED)),
    "eta2 field length": ("field", lambda: rn.eta2(np.eye(2), field=[0.0])),
    "eta2 field infinite": ("field", lambda: rn.eta2(np.eye(2), field=[0.0, np.inf])),
    "eta2 unknown prior": ("hidden", lambda: rn.eta2(np.eye(2), "ising")),
    "eta2 Gaussian Q at one": ("Q", lambda: rn.eta2(np.eye(2), Gaussian())),
    "eta2 Gaussian Q above one": ("Q", lambda: rn.eta2([[0.5, 0.9], [0.9, 0.5]], Gaussian())),
    "eta2 too many signs": ("Q", lambda: rn.eta2(np.eye(27))),
    "eta2 too many ternary units": (
        "Q",
        lambda: rn.eta2(np.eye(17), Discrete((-1, 0, 1), (0.25, 0.5, 0.25))),
    ),
    "eta2_moments not square": ("Q", lambda: rn.eta2_moments(np.ones((3, 2)))),
    "eta2_moments three axes": ("Q", lambda: rn.eta2_moments(np.ones((2, 2, 2)))),
    # loss
    "loss X width": ("X", lambda: rn.loss(np.ones((7, 4)), W)),
    "loss X one axis": ("X", lambda: rn.loss(np.ones(5), W)),
    "loss X no samples": ("X", lambda: rn.loss(np.ones((0, 5)), W)),
    "loss X NaN": ("X", lambda: rn.loss(NAN_X, W)),
    "loss W one axis": ("W", lambda: rn.loss(X, W[:, 0])),
    "loss W no units": ("W", lambda: rn.loss(X, np.ones((5, 0)))),
    "loss W infinite": ("W", lambda: rn.loss(X, NAN_W)),
    "loss visible_bias": ("visible_bias", lambda: rn.loss(X, W, visible_bias=np.ones(4))),
    "loss hidden_bias": ("hidden_bias", lambda: rn.loss(X, W, hidden_bias=np.ones(3))),
    "loss hidden_bias NaN": ("hidden_bias", lambda: rn.loss(X, W, hidden_bias=[0.0, np.nan])),
    "loss unknown prior": ("hidden", lambda: rn.loss(X, W, "bernoulli")),
    "loss_gradient X width": ("X", lambda: rn.loss_gradient(np.ones((7, 4)), W)),
    "loss_gradient W infinite": ("W", lambda: rn.loss_gradient(X, NAN_W)),
    "loss_gradient visible_bias": (
        "visible_bias",
        lambda: rn.loss_gradient(X, W, visible_bias=np.ones((5, 1))),
    ),
    "loss_gradient unknown prior": ("hidden", lambda: rn.loss_gradient(X, W, 1)),
    # RBM
    "RBM W one axis": ("W", lambda: RBM(W[:, 0])),
    "RBM W infinite": ("W", lambda: RBM(NAN_W)),
    "RBM W no units": ("W", lambda: RBM(np.ones((5, 0)))),
    "RBM d = 0": ("W", lambda: RBM(np.ones((0, 2)))),
    "RBM visible_bias": ("visible_bias", lambda: RBM(W, visible_bias=np.ones(2))),
    "RBM hidden_bias": ("hidden_bias", lambda: RBM(W, hidden_bias=np.ones(5))),
    "RBM visible prior": ("visible", lambda: RBM(W, visible="spin")),
    "RBM hidden prior": ("hidden", lambda: RBM(W, hidden=Gaussian)),
    "log_likelihood X width": ("X", lambda: MACHINE.log_likelihood(X[:, :4])),
    "log_likelihood X NaN": ("X", lambda: MACHINE.log_likelihood(NAN_X)),
    "gradient X width": ("X", lambda: MACHINE.gradient(X[:, :4])),
    "gradient X one axis": ("X", lambda: MACHINE.gradient(X[0])),
    "exact sum over Gaussian units": ("hidden", lambda: RBM(W, hidden=Gaussian()).log_partition()),
    "exact average of Gaussian units": ("hidden", lambda: RBM(W, hidden=Gaussian()).average()),
    "too many hidden states": ("W", lambda: RBM(np.zeros((3, 27))).log_partition()),
    "too many hidden states to sample": ("W", lambda: RBM(np.zeros((3, 27))).sample(1)),
    "too many states, effective": ("Q", lambda: RBM(np.zeros((3, 27))).log_partition(exact=False)),
    "gibbs v width": ("v", lambda: MACHINE.gibbs(X[:, :4], 1)),
    "gibbs v NaN": ("v", lambda: MACHINE.gibbs(NAN_X, 1)),
    "gibbs n_cycles negative": ("n_cycles", lambda: MACHINE.gibbs(X, -1)),
    "gibbs n_cycles not an integer": ("n_cycles", lambda: MACHINE.gibbs(X, 1.0)),
    "gibbs n_cycles boolean": ("n_cycles", lambda: MACHINE.gibbs(X, True)),
    "gibbs rng": ("rng", lambda: MACHINE.gibbs(X, 1, rng="seed")),
    "sample n zero": ("n", lambda: MACHINE.sample(0)),
    "sample n not an integer": ("n", lambda: MACHINE.sample(2.5)),
    "sample rng": ("rng", lambda: MACHINE.sample(2, rng=0.5)),
    "sample_hidden v width": ("v", lambda: MACHINE.sample_hidden(np.ones((7, 2)), 0)),
    "sample_hidden rng": ("rng", lambda: MACHINE.sample_hidden(X, "seed")),
    "sample_visible h width": ("h", lambda: MACHINE.sample_visible(X, 0)),
    "sample_visible rng": ("rng", lambda: MACHINE.sample_visible(np.ones((7, 2)), -3)),
    # spiked data
    "alpha zero": ("alpha", lambda: SpikedModel(0.0, 1.0)),
    "alpha negative": ("alpha", lambda: SpikedModel(-1.0, 1.0)),
    "alpha NaN": ("alpha", lambda: SpikedModel(np.nan, 1.0)),
    "alpha infinite": ("alpha", lambda: SpikedModel(np.inf, 1.0)),
    "alpha text": ("alpha", lambda: SpikedModel("4", 1.0)),
    "alpha a list": ("alpha", lambda: SpikedModel([4.0], 1.0)),
    "alpha boolean": ("alpha", lambda: SpikedModel(True, 1.0)),
    "snr negative": ("snr", lambda: SpikedModel(1.0, [1.0, -0.1])),
    "snr NaN": ("snr", lambda: SpikedModel(1.0, np.nan)),
    "snr infinite": ("snr", lambda: SpikedModel(1.0, [np.inf])),
    "snr matrix": ("snr", lambda: SpikedModel(1.0, [[1.0]])),
    "r = 0": ("snr", lambda: SpikedModel(1.0, [])),
    "snr text": ("snr", lambda: SpikedModel(1.0, "strong")),
    "prior_u mean": ("prior_u", lambda: SpikedModel(1.0, 1.0, prior_u=Bernoulli())),
    "prior_w variance": (
        "prior_w",
        lambda: SpikedModel(1.0, 1.0, prior_w=Discrete((-2, 2), (0.5, 0.5))),
    ),
    "prior_u unknown": ("prior_u", lambda: SpikedModel(1.0, 1.0, prior_u="sign")),
    "prior_w unknown": ("prior_w", lambda: SpikedModel(1.0, 1.0, prior_w=None)),
    "channel scale": ("channel", lambda: SpikedModel(1.0, 1.0, channel=lambda s, z: s + 2 * z)),
    "channel NaN": ("channel", lambda: SpikedModel(1.0, 1.0, channel=lambda s, z: s * np.nan)),
    "channel not callable": ("channel", lambda: SpikedModel(1.0, 1.0, channel="sign")),
    "channel of one argument": ("channel", lambda: SpikedModel(1.0, 1.0, channel=lambda s: s)),
    "snr ragged": ("snr", lambda: SpikedModel(1.0, RAGGED)),
    "number of samples at d < 0": ("d", lambda: MODEL.n(-4)),
    "d zero": ("d", lambda: MODEL.sample(0)),
    "d negative": ("d", lambda: MODEL.sample(-5)),
    "d not an integer": ("d", lambda: MODEL.sample(10.0)),
    "d boolean": ("d", lambda: MODEL.sample(True)),
    "spiked rng": ("rng", lambda: MODEL.sample(5, rng="seed")),
    "spiked rng negative": ("rng", lambda: MODEL.sample(5, rng=-1)),
    "teacher W_star one axis": ("W_star", lambda: rn.teacher_rbm(W[:, 0], 1.0)),
    "teacher W_star NaN": ("W_star", lambda: rn.teacher_rbm(NAN_W, [1.0, 1.0])),
    "teacher snr length": ("snr", lambda: rn.teacher_rbm(W, [1.0, 1.0, 1.0])),
    "teacher snr NaN": ("snr", lambda: rn.teacher_rbm(W, [1.0, np.nan])),
    "teacher snr negative": ("snr", lambda: rn.teacher_rbm(W, [1.0, -1.0])),
    "teacher snr ragged": ("snr", lambda: rn.teacher_rbm(W, RAGGED)),
    # overlaps
    "overlap rows": ("W", lambda: rn.overlap(W, W[:3])),
    "overlap W_star one axis": ("W_star", lambda: rn.overlap(W[:, 0], W)),
    "overlap W NaN": ("W", lambda: rn.overlap(W, NAN_W)),
    "overlap W_star NaN": ("W_star", lambda: rn.overlap(NAN_W, W)),
    "overlap k = 0": ("W", lambda: rn.overlap(W, W[:, :0])),
    "matched_overlap rows": ("W", lambda: rn.matched_overlap(W, W[:3])),
    "matched_overlap r = 0": ("W_star", lambda: rn.matched_overlap(W[:, :0], W)),
    # PCA
    "pca X one axis": ("X", lambda: rn.pca(X[0], 1)),
    "pca X NaN": ("X", lambda: rn.pca(NAN_X, 1)),
    "pca X empty": ("X", lambda: rn.pca(X[:0], 1)),
    "pca X zero": ("X", lambda: rn.pca(0 * X, 1)),
    "pca r zero": ("r", lambda: rn.pca(X, 0)),
    "pca r too large": ("r", lambda: rn.pca(X, 6)),
    "pca r not an integer": ("r", lambda: rn.pca(X, 1.0)),
    # limits
    "bbp_snr alpha zero": ("alpha", lambda: rn.bbp_snr(0.0)),
    "bbp_snr alpha in an array": ("alpha", lambda: rn.bbp_snr([1.0, -1.0])),
    "bbp_snr alpha ragged": ("alpha", lambda: rn.bbp_snr(RAGGED)),
    "bbp_snr alpha NaN": ("alpha", lambda: rn.bbp_snr(np.nan)),
    "pca_overlap alpha": ("alpha", lambda: rn.pca_overlap(-1.0, 1.0)),
    "pca_overlap snr": ("snr", lambda: rn.pca_overlap(1.0, [1.0, -1.0])),
    "pca_overlap snr NaN": ("snr", lambda: rn.pca_overlap(1.0, np.nan)),
    "pca_overlap of": ("of", lambda: rn.pca_overlap(1.0, 1.0, of="v")),
    "pca_overlap of None": ("of", lambda: rn.pca_overlap(1.0, 1.0, of=None)),
    "outlier alpha": ("alpha", lambda: rn.outlier_eigenvalue(0.0, 1.0)),
    "outlier snr": ("snr", lambda: rn.outlier_eigenvalue(1.0, -1.0)),
    "density x NaN": ("x", lambda: rn.marchenko_pastur_density([np.nan], 1.0)),
    "density alpha zero": ("alpha", lambda: rn.marchenko_pastur_density(1.0, 0.0)),
    "density alpha an array": ("alpha", lambda: rn.marchenko_pastur_density(1.0, [1.0, 2.0])),
    "haar r zero": ("r", lambda: rn.haar_overlap(0)),
    "haar r not an integer": ("r", lambda: rn.haar_overlap(3.0)),
    "haar n_samples": ("n_samples", lambda: rn.haar_overlap(3, n_samples=1)),
    "haar rng": ("rng", lambda: rn.haar_overlap(3, n_samples=5, rng="seed")),
    "equal snr alpha": ("alpha", lambda: rn.equal_snr_pca_overlap(0.0, 1.0, 2)),
    "equal snr snr": ("snr", lambda: rn.equal_snr_pca_overlap(1.0, -1.0, 2)),
    "equal snr r": ("r", lambda: rn.equal_snr_pca_overlap(1.0, 2.0, 0)),
    "equal snr prior": ("prior_w", lambda: rn.equal_snr_pca_overlap(1, 2, 2, prior_w=Bernoulli())),
    "equal snr n_samples": ("n_samples", lambda: rn.equal_snr_pca_overlap(1, 2, 2, n_samples=1)),
    "equal snr rng": ("rng", lambda: rn.equal_snr_pca_overlap(1.0, 2.0, 2, rng="seed")),
    "bayes alpha zero": ("alpha", lambda: rn.bayes_overlap(0.0, 1.0)),
    "bayes alpha an array": ("alpha", lambda: rn.bayes_overlap([1.0, 2.0], 1.0)),
    "bayes snr negative": ("snr", lambda: rn.bayes_overlap(1.0, -1.0)),
    "bayes snr NaN": ("snr", lambda: rn.bayes_overlap(1.0, np.nan)),
    "bayes snr an array": ("snr", lambda: rn.bayes_overlap(1.0, [1.0, 2.0])),
    "bayes prior_u": ("prior_u", lambda: rn.bayes_overlap(1.0, 1.0, prior_u=Bernoulli())),
    "bayes prior_w": ("prior_w", lambda: rn.bayes_overlap(1.0, 1.0, prior_w="gaussian")),
}


@pytest.mark.filterwarnings("ignore::scipy.integrate.IntegrationWarning")  # channel NaN
@pytest.mark.parametrize(("name", "call"), CASES.values(), ids=CASES)
def test_bad_input_is_refused_by_name(name, call):
    with pytest.raises(ValueError, match=rf"^{name}\b"):
        call()


def test_messages_say_what_was_expected_and_what_came():
    with pytest.raises(ValueError, match=r"^W must have shape \(5, any\); got \(3, 2\)$"):
        rn.overlap(W, W[:3])
    with pytest.raises(ValueError, match=r"^d must be an integer of at least 1; got 0$"):
        MODEL.sample(0)
    with pytest.raises(ValueError, match=r"Rademacher\(\).*got 'ising'$"):
        rn.eta2(np.eye(2), "ising")


def test_input_at_the_edge_of_what_is_allowed():
    assert np.isfinite(rn.eta2(0.999 * np.eye(2), Gaussian()))
    assert rn.pca(np.random.default_rng(0).standard_normal((7, 5)), 5).W.shape == (5, 5)
    assert MACHINE.sample(1, rng=0).shape == (1, 5)
    assert SpikedModel(1.0, 0.0).sample(1, rng=0).X.shape == (1, 1)
    assert rn.bayes_overlap(1.0, 0.0) == 0.0
