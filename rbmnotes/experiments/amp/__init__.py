"""Experiments of the chapter on AMP-RBM."""
