"""What is learned, and from what: priors, objective, RBM, spiked data, order parameters."""
