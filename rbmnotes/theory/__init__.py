"""Theory: parameters in, order parameters out. Never touches data."""
