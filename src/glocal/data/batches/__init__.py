"""From pictures to batches."""
