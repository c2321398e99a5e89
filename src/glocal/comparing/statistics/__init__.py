"""The statistics of paired runs: intervals over seeds and pictures at once, verdicts, looks, several arms."""
