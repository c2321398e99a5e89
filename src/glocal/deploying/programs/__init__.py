"""From a network to the program that is exported: pictures in, probabilities out."""
