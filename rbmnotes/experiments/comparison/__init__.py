"""Experiments of the chapter that compares the methods."""
