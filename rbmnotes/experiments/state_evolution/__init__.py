"""Experiments of the chapter on state evolution."""
