"""The supernet of a space: its weights, its training, and how its paths are evaluated."""
