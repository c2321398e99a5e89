"""The verbs about pictures."""
