"""What surrounds the training loop: settings, the folder of a run, train, resume, train longer, rerun."""
