"""How long networks take on this machine: measured side by side, or as the sum of their parts."""
