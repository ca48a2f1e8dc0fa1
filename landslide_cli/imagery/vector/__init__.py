"""Polygons: outlines of masks, landslides and their files, footprints."""
