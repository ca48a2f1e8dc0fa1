"""Rasters: reading, writing, and where they lie on the ground."""
