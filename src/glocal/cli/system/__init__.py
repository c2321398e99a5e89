"""The verbs about the installation: doctor and cache."""
