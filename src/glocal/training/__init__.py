"""Training, and what is done with what was trained: recipes, the loop, checkpoints, scores, run folders."""
