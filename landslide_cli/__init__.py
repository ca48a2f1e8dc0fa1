"""Landslide maps from aerial imagery: one command line, six steps, one profile."""

__version__ = "0.1.0"
