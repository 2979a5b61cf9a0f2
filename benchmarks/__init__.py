"""Timings behind the speed the package claims: ``python -m benchmarks NAME``."""
