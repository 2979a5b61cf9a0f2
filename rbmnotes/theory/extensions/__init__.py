"""Theory beyond the paper: parameters in, predictions out."""
