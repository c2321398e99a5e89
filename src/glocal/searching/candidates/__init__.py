"""Which candidates a search evaluates, and in which order. Nothing here knows how that is done, and nothing loads torch."""
