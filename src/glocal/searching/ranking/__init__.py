"""Whether a supernet or a proxy puts networks in the order that training them does."""
