"""The recipes of the papers, one file a paper, and our own. Each file has a `TITLE` and its `PAGES`."""
