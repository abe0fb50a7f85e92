"""Training: a network of the catalogue from its first step, or the new head of a network that had another."""
