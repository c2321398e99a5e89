"""The verbs about architectures and recipes."""
