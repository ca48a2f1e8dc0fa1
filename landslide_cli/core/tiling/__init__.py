"""Scenes of any size in windows: the grid, what the model sees, and blending."""
