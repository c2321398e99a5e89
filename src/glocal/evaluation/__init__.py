"""How good a trained network is: scores, predictions, probes."""
