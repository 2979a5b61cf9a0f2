"""Experiments of the chapter on images."""
