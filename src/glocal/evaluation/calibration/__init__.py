"""How far the probabilities of a network can be trusted, and the temperature that mends them."""
