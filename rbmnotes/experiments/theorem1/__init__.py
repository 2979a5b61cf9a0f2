"""Experiments of the chapter on Theorem 1."""
