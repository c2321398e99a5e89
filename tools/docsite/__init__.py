"""The documentation site: generated reference pages, the notebook as a page, and what is checked after the build."""
