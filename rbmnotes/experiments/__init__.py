"""Experiments: theory beside simulation, on a grid."""
