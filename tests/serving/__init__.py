"""A client of the server that speaks raw HTTP, and requests that must be refused; `benchmarks/serving.py` sends the same."""
