"""Where code runs: devices, processes, threads and signals."""
