"""Algorithms: data in, weights out."""
