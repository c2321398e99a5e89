"""Levels of a search without a supernet: networks are trained alone and raced, in the order of a proxy or at random."""
