"""Landslide maps from aerial imagery: one command line, six steps, one profile."""

from landslide_cli.version import __version__

__all__ = ["__version__"]
