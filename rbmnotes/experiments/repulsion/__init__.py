"""Experiments of the chapter on units that share signals and repel each other."""
