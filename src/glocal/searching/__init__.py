"""From a space of networks to a trained winner: supernet, candidates and finalists, level by level."""
