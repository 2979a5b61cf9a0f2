"""Estimators in the manner of scikit-learn, which is an optional dependency."""
