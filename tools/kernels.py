"""Run chapters under several BLAS kernels and thread counts, and show every printed difference.

Usage: python tools/kernels.py [--kernels Haswell,Nehalem] [--threads 1,2] [CHAPTER.ipynb ...]

OpenBLAS picks its kernel by the machine it is on, and a sum over other blocks has other last
digits; so have sums shared by threads. What a chapter prints must not depend on either: for each
setting the chapters, by default all, are re-run through nbval and compared with what is stored.
The last line says whether all agree, and so does the exit status.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SHOW = (
    "import numpy, scipy.linalg, threadpoolctl as t; "
    "print(*{i['architecture'] for i in t.threadpool_info() if 'architecture' in i})"
)
_COLOUR = re.compile(r"\x1b\[\d*m")
_HEADING = re.compile(r"_+ (\S+\.ipynb::Cell \d+) _+$")
_REASON = re.compile(r"Cell \d+: (.*)")
_COMPARED = "assert reference_output == test_output failed:"


def environment(kernel: str, threads: int) -> dict[str, str]:
    """Return the variables of one setting; ``conftest.py`` passes the threads on to the kernels."""
    return os.environ | {"OPENBLAS_CORETYPE": kernel, "RBMNOTES_THREADS": str(threads)}


def differences(report: str) -> list[str]:
    """Return the cells that fail, of a report of nbval's, each with its lines that differ.

    ``-`` is before what is stored, ``+`` before what this run printed.
    """
    found, cell, comparing = [], "", False
    report = _COLOUR.sub("", report).partition("short test summary info")[0]
    for line in report.splitlines():
        if heading := _HEADING.match(line):
            cell, comparing = heading[1], False
        elif reason := _REASON.match(line):
            found.append(f"{cell}: {reason[1]}")
        elif line.strip() == _COMPARED:
            comparing = True
        elif comparing and line[:4] in ("  - ", "  + "):  # theirs have the signs the other way
            found.append(f"{'+' if line[2] == '-' else '-'} {line[4:]}")
    return found


def check(kernel: str, threads: int, chapters: list[str]) -> bool:
    """Run the chapters in one setting, print what differs, and return whether nothing did."""
    variables, name = environment(kernel, threads), f"{kernel}, {threads} threads"
    seen = subprocess.run(
        [sys.executable, "-c", SHOW], env=variables, capture_output=True, text=True, check=False
    )
    if seen.returncode or kernel not in seen.stdout.split():
        print(f"{name}: this machine cannot run it (BLAS says {seen.stdout.strip() or 'nothing'})")
        return False
    command = [sys.executable, "-m", "pytest", "--nbval", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*command, *chapters], cwd=ROOT, env=variables, capture_output=True, text=True, check=False
    )
    print(f"{name}: {done.stdout.strip().splitlines()[-1]}", flush=True)
    for line in differences(done.stdout):
        print(f"    {line}")
    return done.returncode == 0


def main(arguments: list[str] | None = None) -> int:
    """Run every setting; return zero if nothing differs in any."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kernels", default="Haswell,Nehalem", help="names of OpenBLAS's kernels")
    parser.add_argument("--threads", default="1,2", help="numbers of threads")
    parser.add_argument("chapters", nargs="*", metavar="CHAPTER.ipynb")
    options = parser.parse_args(arguments)
    chapters = options.chapters or sorted(str(path) for path in (ROOT / "book").glob("*.ipynb"))
    good = [
        check(kernel, int(threads), [str(Path(chapter).resolve()) for chapter in chapters])
        for kernel in options.kernels.split(",")
        for threads in options.threads.split(",")
    ]
    print(f"{sum(good)} of {len(good)} settings print what is stored")
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
