"""Data sets: what is bundled with the package."""
