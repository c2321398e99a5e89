"""The page of a training run: report.html in its folder, made from the files of the run."""
