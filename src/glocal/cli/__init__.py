"""The command line: one file a group of verbs, each a thin voice over the functions of Python."""

from glocal.cli.app import main

__all__ = ["main"]
