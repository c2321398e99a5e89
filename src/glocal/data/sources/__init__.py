"""The forms in which pictures lie on disk."""
