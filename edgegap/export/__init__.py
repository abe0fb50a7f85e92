"""From a trained network to a proved bundle."""
