import itertools
import os
import re
import subprocess
import sys
from dataclasses import FrozenInstanceError

import numpy as np
import pytest

from benchmarks import amp, dmft, eta2, gd, harness, rbm
from benchmarks.harness import Row, Timing, format_table, measure
from tests.helpers import ROOT


class FakeClock:
    """A clock that only moves when the work says how long it took."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now

    def work(self, durations):
        steps = iter(durations)

        def function():
            self.now += next(steps)

        return function


def run_module(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "benchmarks", *arguments],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=60,
        check=False,
    )


def test_work_is_interleaved_after_a_warm_up():
    log = []
    work = {name: lambda name=name: log.append(name) for name in ("a", "b", "c")}
    timing = measure(work, rounds=5)
    # one call of each to warm up, then five rounds in turn
    assert log == ["a", "b", "c"] * 6
    assert timing.rounds == 5
    assert list(timing.medians) == ["a", "b", "c"]


def test_several_calls_stay_together():
    log = []
    measure({name: lambda name=name: log.append(name) for name in "ab"}, rounds=5, calls=3)
    assert "".join(log) == "ab" + "aaabbb" * 5


def test_median_ignores_the_warm_up_and_outliers():
    clock = FakeClock()
    work = {
        "steady": clock.work([100.0, 2.0, 2.0, 2.0, 2.0, 50.0]),
        "other": clock.work([100.0, 1.0, 5.0, 3.0, 4.0, 2.0]),
    }
    timing = measure(work, rounds=5, clock=clock)
    assert timing.medians == {"steady": 2.0, "other": 3.0}
    assert timing.ratio("other", "steady") == 1.5


def test_times_are_per_call():
    clock = FakeClock()
    work = {"a": clock.work(itertools.repeat(0.25))}
    assert measure(work, rounds=6, calls=4, clock=clock).medians == {"a": 0.25}


@pytest.mark.parametrize(("name", "value"), [("rounds", 4), ("calls", 0)])
def test_too_few_rounds_or_calls_are_refused(name, value):
    with pytest.raises(ValueError, match=rf"^{name} must be at least"):
        measure({"a": int}, **{name: value})


def test_default_is_five_rounds():
    assert measure({"a": int}).rounds == harness.MIN_ROUNDS == 5


def test_results_are_frozen():
    for result in (Timing({}, 5), Row("a", 1.0)):
        with pytest.raises(FrozenInstanceError):
            result.rounds = 1


@pytest.mark.parametrize(
    ("bounds", "target", "met"),
    [
        ({}, "", None),
        ({"at_least": 30.0}, ">= 30", True),
        ({"at_least": 40.5}, ">= 40.5", False),
        ({"at_most": 35.0}, "<= 35", True),
        ({"at_most": 0.7}, "<= 0.7", False),
        ({"at_least": 36.0, "at_most": 50.0}, ">= 36 <= 50", False),
    ],
)
def test_targets(bounds, target, met):
    row = Row("a", 0.001, ratio=35.0, **bounds)
    assert row.target == target
    assert row.met is met


def test_a_target_without_a_ratio_is_not_met():
    assert Row("a", 0.001, at_least=1.0).met is False


def test_table_is_aligned():
    rows = [
        Row("plain sum", 0.2),
        Row("split", 0.0031, 64.5, at_least=50.0),
        Row("a longer name", 1.5e-5, 0.9, at_most=0.5),
    ]
    lines = format_table(rows).splitlines()
    assert lines == [
        "work           median ms  ratio  target",
        "plain sum        200.000",
        "split              3.100   64.5   >= 50      met",
        "a longer name      0.015    0.9  <= 0.5  NOT MET",
    ]


def test_plain_enumeration_against_brute_force():
    # three units, eight states, every sum a Python loop; 1e-14 is round-off
    Q = np.array([[1.0, 0.3, -0.4], [0.3, 0.8, 0.2], [-0.4, 0.2, 1.2]])
    total, mean, second = 0.0, np.zeros(3), np.zeros((3, 3))
    for h in itertools.product((-1, 1), repeat=3):
        exponent = sum(0.5 * h[a] * Q[a, b] * h[b] for a in range(3) for b in range(3))
        weight = np.exp(exponent) / 8
        total += weight
        mean += weight * np.array(h)
        second += weight * np.outer(h, h)
    value, plain_mean, plain_second = eta2.plain_moments(Q, eta2.sign_states(3))
    assert value == pytest.approx(np.log(total), abs=1e-14)
    np.testing.assert_allclose(plain_mean, mean / total, atol=1e-14)
    np.testing.assert_allclose(plain_second, second / total, atol=1e-14)


def test_sign_states_are_all_different():
    states = eta2.sign_states(4)
    assert states.shape == (16, 4)
    assert len(np.unique(states, axis=0)) == 16
    assert set(np.unique(states)) == {-1.0, 1.0}


def test_eta2_benchmark_runs():
    rows = eta2.run(sizes=(3, 4))
    assert [row.work.split(":")[0] for row in rows] == ["k=3"] * 3 + ["k=4"] * 3
    assert all(row.median > 0 for row in rows)
    assert all(row.met is None for row in rows)  # sizes without a target
    assert eta2.TARGETS == {10: None, 16: 30.0, 20: 50.0}


def test_eta2_benchmark_compares_results_first(monkeypatch):
    # a wrong sum must stop the benchmark before anything is timed
    plain = eta2.plain_moments

    def wrong(Q, states):
        value, mean, second = plain(Q, states)
        return value * (1 + 1e-6), mean, second

    monkeypatch.setattr(eta2, "plain_moments", wrong)
    monkeypatch.setattr(eta2, "measure", lambda *_, **__: pytest.fail("timed"))
    with pytest.raises(AssertionError, match="Not equal to tolerance"):
        eta2.run(sizes=(3,))


def test_rbm_benchmark_runs():
    rows = rbm.run(n=1500, budgets=(0.02, 0.05), k=3)
    epochs = [row.work.removesuffix(": epoch") for row in rows if row.work.endswith(": epoch")]
    scores = [row for row in rows if "exact test log-likelihood" in row.work]
    targets = {row.work: row.target for row in rows if row.target}
    assert {"CD-1", "CD-10", "PCD-1", "Theorem 1", "tangent bound", "exact"} <= {*epochs}
    assert len(scores) == 2 * len(epochs)
    assert len(rows) == len(epochs) + len(scores) + len(targets) + 3  # the rest: more hidden units
    if "scikit-learn" in epochs:
        assert targets["CD-1 against scikit-learn"] == "<= 0.25"
        assert targets["exact against scikit-learn"] == "<= 1"
    for row in scores:  # better than a fair coin a pixel, worse than nothing to learn
        assert -784 * np.log(2) < float(row.work.split()[-4]) < 0


def test_amp_benchmark_runs():
    # one iteration is a difference of two timings: at this size it may even come out negative
    rows = amp.run(n=400, d=100, units=(1, 3))
    assert [row.work.split(":")[0].split(",")[0] for row in rows] == (
        ["k=1"] * 7 + ["k=3"] * 7 + ["fixed_point"]
    )
    assert all(row.median > 0 for row in rows if "iteration" not in row.work)
    assert [row.target for row in rows if row.work.startswith("k=3")] == [""] * 4 + [
        "<= 0.6",
        "",
        "",
    ]
    assert rows[-1].target == "<= 1"
    assert amp.ITERATION == {1: 0.7, 2: 0.7, 10: 1.3}
    assert amp.PROXIMAL == {2: 0.1, 10: 0.35}


def test_amp_benchmark_checks_results_first(monkeypatch):
    # a proximal point that is none must stop the benchmark before anything is timed
    right = amp.proximal_sums

    def wrong(omega, V, hidden, z):
        g, derivative = right(omega, V, hidden, z)
        return g * (1 + 1e-6), derivative

    monkeypatch.setattr(amp, "proximal_sums", wrong)
    monkeypatch.setattr(amp, "measure", lambda *_, **__: pytest.fail("timed"))
    with pytest.raises(AssertionError, match="Not equal to tolerance"):
        amp.run(n=400, d=100, units=(1,))


def test_gd_benchmark_runs():
    # an iteration is a difference of two timings, see above
    rows = gd.run(n=400, d=100, units=(1, 3))
    assert [row.work.split(",")[0] for row in rows] == ["k=1"] * 4 + ["k=3"] * 4
    assert all(row.median > 0 for row in rows if "iteration" not in row.work)
    assert [row.target for row in rows] == ["", "<= 0.7"] + [""] * 6
    assert gd.ITERATION == {1: 0.7, 2: 0.7, 10: 1.3}


def test_dmft_benchmark_runs():
    rows = dmft.run(steps=3, paths=100, all_steps=(2, 4), all_paths=(64, 128))
    assert (dmft.STEPS, dmft.PATHS, dmft.SECONDS, dmft.GIGABYTES) == (50, 10**5, 20.0, 1.0)
    assert [row.work for row in rows[2:]] == [
        *("N=64", "N=128", "exponent of N", "T=2", "T=4", "exponent of T"),
        "exponent of T between the last two",
    ]
    assert [row.met for row in rows[:2]] == [True, True]
    assert all(row.median > 0 for row in rows)


def test_command_without_a_name_lists_them():
    result = run_module()
    assert result.returncode == 0
    assert re.search(r"^eta2 +\S", result.stdout, flags=re.MULTILINE)
    assert result.stderr == ""


def test_command_refuses_an_unknown_name():
    result = run_module("eta2", "nonsense")
    assert result.returncode == 2
    assert "unknown benchmark nonsense; choose from amp, dmft, eta2" in result.stderr
    assert result.stdout == ""  # refused before anything ran


def test_command_runs_and_says_where_without_naming_the_machine():
    # a registry with one instant benchmark, in a process of its own: the module sets variables
    code = (
        "import os, sys\n"
        "import benchmarks\n"
        "assert 'numpy' not in sys.modules, 'imported before the thread counts are set'\n"
        "import benchmarks.__main__ as command\n"
        "from benchmarks.harness import Row\n"
        "assert os.environ['OMP_WAIT_POLICY'] == 'PASSIVE'\n"
        "command.BENCHMARKS['instant'] = lambda: [Row('nothing', 0.001, 2.0, at_least=1.0)]\n"
        "sys.exit(command.main(['instant', 'instant']))\n"
    )
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    environment.pop("NUMBA_NUM_THREADS", None)
    result = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=environment,
        timeout=60,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.count("nothing") == 2
    assert "met" in result.stdout
    # a count from outside is kept, one that is absent is set
    assert "OMP_NUM_THREADS=1" in result.stdout
    assert "NUMBA_NUM_THREADS=2" in result.stdout
    for module in ("numpy", "scipy", "numba"):
        assert re.search(rf"{module} \d+\.\d+", result.stdout)
    assert str(ROOT) not in result.stdout
    assert os.uname().nodename not in result.stdout
