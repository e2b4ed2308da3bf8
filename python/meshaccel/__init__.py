"""A fast, safe registry for MCP Mesh agents, and the primitives it is built from."""

from meshaccel._native import __version__

__all__ = ["__version__"]
