"""Experiments of the chapter on spiked data."""
