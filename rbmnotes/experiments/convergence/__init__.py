"""Experiments of the chapter on where training ends."""
