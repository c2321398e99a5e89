"""What attention reads: probabilities of layers, and rollout over a network."""
