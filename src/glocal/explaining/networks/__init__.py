"""How local and how global whole networks are: numbers, figures, and what weights show by themselves."""
