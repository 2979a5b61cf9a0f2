"""Experiments of the chapter on the global optimum."""
