"""Landslide maps from aerial imagery: one command line, six steps, one profile."""

__version__ = "0.2.0.dev0"
