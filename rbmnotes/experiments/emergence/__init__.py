"""Experiments of the chapter on signals that emerge one after another."""
