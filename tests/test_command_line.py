"""The command line: what it prints, where it writes, and how it says that something is wrong."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import rbmnotes as rn
from rbmnotes.__main__ import MOST_JOBS, main
from rbmnotes.experiments import registry
from rbmnotes.experiments.engine.experiment import Experiment, Scale, grid
from rbmnotes.experiments.engine.run import run
from rbmnotes.experiments.engine.store import Store, Task
from rbmnotes.theory import state_evolution
from tests.helpers import ROOT


def measure(parameters, rng):
    return {"value": parameters["a"] + rng.standard_normal()}


def measure_slowly(parameters, rng):
    time.sleep(0.02)
    return measure(parameters, rng)


TOY = Experiment(
    name="toy",
    version=2,
    description="Noise around a",
    measure=measure,
    scales={"quick": Scale(grid(a=[1, 2]), 3), "paper": Scale(grid(a=[1, 2, 3]), 4)},
    figure=99,
)


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """A folder of its own and one more experiment."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("RBMNOTES_STORE", raising=False)
    monkeypatch.setitem(registry.EXPERIMENTS, "toy", TOY)


def printed(capsys, *arguments):
    """Return what a successful command prints."""
    assert main(arguments) == 0
    return capsys.readouterr().out


def refused(capsys, *arguments):
    """Return the one line of a command that is refused."""
    try:
        status = main(arguments)
    except SystemExit as exit_:
        status = exit_.code
    out, err = capsys.readouterr()
    assert status == 2
    assert not out
    assert err.count("\n") == 1
    return err


# --- list, run, figure, status


def test_list(capsys):
    text = printed(capsys, "list")
    assert "toy, version 2; figure 99: Noise around a" in text
    assert "quick (6), paper (12)" in text
    assert all(f"{name}, version" in text for name in registry.EXPERIMENTS)


def test_run_stores_and_exports(capsys):
    assert printed(capsys, "run", "toy") == f"{Path('book/results/toy-quick.csv')}: 6 rows\n"
    assert registry.load_results("toy", "quick").equals(run(TOY, store=":memory:"))
    assert Path(".rbmnotes/results.sqlite").exists()


def test_figure_is_an_alias(capsys):
    options = ("--scale", "paper", "--output", "here", "--store", "there.sqlite", "--jobs", "1")
    assert "toy-paper.csv: 12 rows" in printed(capsys, "figure", "99", *options)
    assert sorted(p.name for p in Path("here").iterdir()) == ["toy-paper.csv", "toy-paper.json"]
    assert Path("there.sqlite").exists()
    assert not Path(".rbmnotes").exists()


def test_status_counts_what_is_done(capsys):
    assert printed(capsys, "status") == f"nothing is stored in {store_name()} yet\n"
    assert not Path(".rbmnotes").exists()
    main(["run", "toy"])
    with Store() as store:
        store.add("toy", 1, Task('{"a":1}', 0), [{"value": 0.0}], 0.1)
        store.add("gone", 4, Task('{"a":1}', 0), [{"value": 0.0}], 0.1)
    capsys.readouterr()
    lines = [" ".join(line.split()) for line in printed(capsys, "status").splitlines()]
    assert "toy version 2 quick 6 of 6 tasks" in lines
    assert "toy version 2 paper 6 of 12 tasks" in lines
    assert "pca version 2 quick 0 of 132 tasks" in lines
    assert "toy version 1 1 tasks, stale: the code has version 2" in lines
    assert "gone version 4 1 tasks of no known experiment" in lines


def store_name():
    return Path(".rbmnotes/results.sqlite")


def test_store_of_the_environment(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("RBMNOTES_STORE", str(tmp_path / "mine"))
    main(["run", "toy"])
    assert (tmp_path / "mine").exists()
    assert not Path(".rbmnotes").exists()


def run_until_interrupted():
    """Run in a process of its own: more than a test has time for."""
    scales = {"quick": Scale(grid(a=[*range(100)]), 20)}
    registry.EXPERIMENTS["toy"] = replace(TOY, measure=measure_slowly, scales=scales)
    sys.exit(main(["run", "toy", "--jobs", "2"]))


@pytest.mark.skipif(os.name == "nt", reason="needs a signal to a group of processes")
def test_interrupted_by_the_keyboard(tmp_path):
    code = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        f"from {__name__} import run_until_interrupted; run_until_interrupted()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    deadline = time.monotonic() + 60
    while not (store_name().exists() and count() > 5):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "the same command resumes" in err
    assert "Traceback" not in err
    assert not out
    assert 5 < count() < 2000


def count():
    with Store() as store:
        return len(store.tasks("toy", 2))


def test_a_failing_measurement_is_one_line_and_not_the_users_error(monkeypatch, capsys):
    failing = replace(TOY, measure=lambda parameters, rng: 1 / 0)
    monkeypatch.setitem(registry.EXPERIMENTS, "toy", failing)
    assert main(["run", "toy"]) == 1
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert "instance 0 (seed 20250523" in err
    assert "ZeroDivisionError" in err
    monkeypatch.setenv("RBMNOTES_DEBUG", "1")
    with pytest.raises(RuntimeError, match="ZeroDivisionError"):
        main(["run", "toy"])


def test_where_it_cannot_write_is_told_before_the_work(monkeypatch, capsys):
    monkeypatch.setitem(registry.EXPERIMENTS, "toy", replace(TOY, measure=None))
    Path("taken").write_text("a letter")
    assert refused(capsys, "run", "toy", "--output", "taken") == (
        "rbmnotes: --output taken: File exists; name another folder\n"
    )
    assert "--output taken/below: Not a directory" in refused(
        capsys, "run", "toy", "--output", "taken/below"
    )
    assert "taken cannot serve as a results store" in refused(
        capsys, "run", "toy", "--store", "taken/store"
    ).replace("/store", "")
    assert not list(Path().glob("*.tmp"))


# --- predict


def table(text):
    """Return the numbers and the remarks of a printed table by their names."""
    rows = [(line[:26].strip(), line[26:].split(maxsplit=1)) for line in text.splitlines()[2:]]
    return {name: (number, " ".join(remark)) for name, (number, *remark) in rows}


def test_predict(capsys):
    text = printed(capsys, "predict", "--alpha", "4", "--snr", "1.2")
    assert text.startswith("alpha = 4, snr = 1.2;")
    rows = table(text)
    expected = {
        "BBP threshold of the snr": 0.5**0.5,
        "snr over threshold": 1.2 * 2**0.5,
        "PCA overlap with w": rn.pca_overlap(4.0, 1.2),
        "PCA overlap with u": rn.pca_overlap(4.0, 1.2, of="u"),
        "Bayes-optimal overlap": rn.bayes_overlap(4.0, 1.2),
        "RBM overlap with w": 0.875682,
        "RBM replicon": 0.187241,
        "RBM loss over d": -1.723293,
    }
    assert {name: float(number) for name, (number, _) in rows.items()} == pytest.approx(
        expected, abs=2e-6
    )
    assert rows["RBM replicon"][1] == "below 1: stable"


def test_predict_below_the_threshold(capsys):
    rows = table(printed(capsys, "predict", "--alpha", "4", "--snr", "0.5"))
    assert rows["snr over threshold"][1] == "no outlier"
    for name in ("PCA overlap with w", "PCA overlap with u", "Bayes-optimal overlap"):
        assert rows[name][0] == "0.000000"
    assert "unstable" in rows["RBM replicon"][1]
    assert "not to be trusted" in rows["RBM overlap with w"][1]


def test_predict_says_what_has_not_converged(capsys, monkeypatch):
    def fixed_point(alpha, snr):
        return SimpleNamespace(
            converged=False, message="V is at its cap", overlap=np.nan, replicon=0.5, loss=0.0
        )

    monkeypatch.setattr(state_evolution, "fixed_point", fixed_point)
    rows = table(printed(capsys, "predict", "--alpha", "4", "--snr", "1.2"))
    assert rows["RBM"] == ("-", "state evolution has not converged: V is at its cap")
    assert not [name for name in rows if name.startswith("RBM ")]


def test_predict_just_above_the_threshold(capsys):
    """There the recursion creeps; the optimum is above PCA and, to leading order, like it."""
    threshold = float(rn.bbp_snr(4.0))
    overlaps = []
    for snr in (threshold, threshold * (1 + 6e-5)):
        rows = table(printed(capsys, "predict", "--alpha", "4", "--snr", repr(snr)))
        overlaps.append(
            [float(rows[name][0]) for name in ("PCA overlap with w", "Bayes-optimal overlap")]
        )
    (pca, bayes), (pca_above, bayes_above) = overlaps
    assert pca == bayes == 0.0
    assert 0.01 < pca_above <= bayes_above < 1.001 * pca_above


def test_predict_and_help_need_the_core_only():
    code = (
        "import sys\n"
        "for name in ('pandas', 'joblib', 'threadpoolctl', 'tqdm', 'matplotlib'):\n"
        "    sys.modules[name] = None\n"
        "from rbmnotes.__main__ import MOST_JOBS, main\n"
        "assert main(['predict', '--alpha', '4', '--snr', '1.2']) == 0\n"
        "assert main(['list']) == 2\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "RBM overlap" in done.stdout
    assert done.stderr.count("\n") == 1
    assert "pip install 'rbmnotes[book]'" in done.stderr


@pytest.mark.skipif(os.name == "nt", reason="needs /dev/full")
def test_nobody_reads_or_the_disk_is_full():
    """An output that ends early is no error to speak of; one that cannot be written is."""
    line = [sys.executable, "-m", "rbmnotes", "predict", "--alpha", "4", "--snr", "1.2"]
    with open("/dev/full", "w") as full:
        done = subprocess.run(line, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (
        1,
        "rbmnotes: standard output: No space left on device\n",
    )
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(line, stdout=writer, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, "")


# --- bad input


WORDS = (
    *("run", "figure", "status", "list", "predict", "toy", "nope", "99", "98", "0", "-1", "4"),
    *("--alpha", "--snr", "--scale", "--jobs", "--store", "--output", "--backend", "--help"),
    *("--scheduler", "quick", "paper", "dask", ":memory:", "/dev/null", "..", "", "-", "--", "="),
    *("a\nb", "\udcff", "x\0y", "1.2", "nan", "-inf", "1e400", "9" * 5000, "\u00b2", "1_0", "@x"),
    *("--alpha=4", "--snr=1.2", "--snr=-0", "--store=", "--jobs=1", "--jobs=1000000000", "tcp://"),
)
"""Left out: huge and tiny numbers, whose range is theory's affair."""


def test_no_line_ends_in_a_traceback(capsys):
    """A seeded fuzz: every line prints, or says in one line what is wrong."""
    rng, statuses = np.random.default_rng(5), []
    for _ in range(250):
        line = [WORDS[i] for i in rng.integers(len(WORDS), size=rng.integers(7))]
        if rng.random() < 0.6:
            line.insert(0, WORDS[rng.integers(5)])
        if rng.random() < 0.2:
            line[:2] = ["run", "toy"]
        try:
            status = main(line)
        except SystemExit as exit_:
            status = exit_.code
        err = capsys.readouterr().err
        assert (status, err) == (0, "") or (status in (1, 2) and err.count("\n") == 1), line
        assert len(err) < 1200, line
        statuses.append(status)
    assert {0, 2} <= set(statuses)
    assert statuses.count(0) > 20


@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        (MemoryError("9 GiB"), 1, "out of memory: 9 GiB"),
        (RuntimeError("it did\nnot settle"), 1, "it did not settle"),
        (TypeError("of a bug"), 1, "unexpected TypeError: of a bug (RBMNOTES_DEBUG=1 shows"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (ImportError("broken", name="pandas.core"), 2, "this command needs pandas: pip install"),
        (RuntimeWarning("overflow"), 2, "--alpha 4 --snr 1: too large or too small to compute"),
        (OverflowError("overflow"), 2, "--alpha 4 --snr 1: too large or too small to compute"),
    ],
)
def test_whatever_goes_wrong_is_one_line(capsys, monkeypatch, error, status, message):
    def bbp_snr(alpha):
        raise error

    monkeypatch.setattr(rn, "bbp_snr", bbp_snr)
    assert main(["predict", "--alpha", "4", "--snr", "1"]) == status
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert err.startswith(f"rbmnotes: {message}")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("", "required: COMMAND"),
        ("walk", "invalid choice: 'walk'"),
        ("run", "required: NAME"),
        ("run nope", "unknown experiment 'nope'; choose from theorem1, training"),
        ("run toy --scale huge", "invalid choice: 'huge'"),
        ("run toy --jobs 0", "must be an integer from 1 to {MOST_JOBS}; got '0'"),
        ("run toy --jobs -1", "must be an integer from 1 to {MOST_JOBS}; got '-1'"),
        ("run toy --jobs two", "must be an integer from 1 to {MOST_JOBS}; got 'two'"),
        ("run toy --jobs 100000", "must be an integer from 1 to {MOST_JOBS}; got '100000'"),
        ("figure 98", "figure 98 has no experiment yet; figures that have: "),
        ("figure one", "invalid int value: 'one'"),
        ("predict --alpha 4", "required: --snr"),
        ("predict --alpha 0 --snr 1", "alpha must be positive"),
        ("predict --alpha 4 --snr -1", "snr must not be negative"),
        ("predict --alpha nan --snr 1", "alpha must be finite"),
    ],
)
def test_bad_input_is_one_line(capsys, line, message):
    assert message.format(MOST_JOBS=MOST_JOBS) in refused(capsys, *line.split())


def test_a_store_that_is_none(capsys, tmp_path):
    (tmp_path / "letter").write_text("Dear reader, this is no database but a letter. " * 50)
    for command in (["status"], ["run", "toy"]):
        assert "cannot serve as a results store" in refused(
            capsys, *command, "--store", str(tmp_path / "letter")
        )


def test_as_a_program():
    done = subprocess.run(
        [sys.executable, "-m", "rbmnotes", "predict", "--alpha", "-1", "--snr", "1"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "rbmnotes: alpha must be positive; got -1.0\n"
