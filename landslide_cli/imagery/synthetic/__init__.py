"""Synthetic aerial scenes of mountain valleys, with landslides whose mask is known exactly."""

from landslide_cli.imagery.synthetic.scene import draw_scene

__all__ = ["draw_scene"]
