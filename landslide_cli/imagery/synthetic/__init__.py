"""Synthetic aerial scenes of mountain valleys, with landslides whose mask is known exactly."""

from landslide_cli.imagery.synthetic.scene import SMALLEST_SIDE, draw_scene

__all__ = ["SMALLEST_SIDE", "draw_scene"]
