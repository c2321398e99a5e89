"""How a search spends its budget: what guides it to networks, and how many of them are trained for how long.

Nothing here trains or loads torch: a strategy runs on a workbench, which may be a search's folder or a table to be replayed.
"""
