"""The verbs that compare: study and compare."""
