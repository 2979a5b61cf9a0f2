"""Training an RBM on binary data by its likelihood, exact or Theorem 1's, or by Gibbs chains."""
