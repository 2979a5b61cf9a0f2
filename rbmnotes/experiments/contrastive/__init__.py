"""Experiments of the chapter on contrastive divergence."""
