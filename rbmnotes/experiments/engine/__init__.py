"""What runs any experiment: seeds, store, workers, exported tables."""
