"""Architectures as torch modules: layers, how ops become layers, initial values, the network, measured speed."""

from glocal.net.network import Network

__all__ = ["Network"]
