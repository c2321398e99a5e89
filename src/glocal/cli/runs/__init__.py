"""The verbs that train, and that use what was trained."""
