"""The files of a run: their names, and how they are written and read."""
