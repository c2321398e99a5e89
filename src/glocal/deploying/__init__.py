"""From a run to a file that runs where glocal is not installed: export, checks on real pictures, quantisation, speed."""
