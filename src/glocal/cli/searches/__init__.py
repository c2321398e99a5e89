"""The verbs of searches: search, rank and report."""
