"""Faults that people's pictures and commands have, planted one by one; `benchmarks/torture.py` plants the same for other trainers."""
