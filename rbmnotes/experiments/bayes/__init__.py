"""Experiments of the chapter on Bayes-optimal AMP."""
