"""Fix thread counts and silence progress bars, for the tests and for the notebooks' kernels."""

import os

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    # tools/kernels.py asks for more, to see that nothing printed depends on it
    os.environ[variable] = os.environ.get("RBMNOTES_THREADS", "1")
os.environ["TQDM_DISABLE"] = "1"
