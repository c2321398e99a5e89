"""Comparisons of trained arms: which of two is better, by how much, or that the data cannot tell."""
