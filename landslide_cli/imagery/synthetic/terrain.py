"""The bare relief: a valley, its sides cut by spurs and gullies."""

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from landslide_cli.imagery.synthetic.patterns import Floats, Shape, blurred, fractal, smoothstep


@dataclass(frozen=True)
class Terrain:
    """The bare relief, and each place's distance `along` the valley and `across` from its axis."""

    height: Floats
    along: Floats
    across: Floats
    floor: float  # half the width of the flat valley floor
    downhill: Floats  # (rows, cols, 2): the steepest descent as (row, col), as long as the slope
    slope: Floats

    @property
    def shape(self) -> Shape:
        """Rows and columns."""
        return self.height.shape[0], self.height.shape[1]


def form_valley(rng: Generator, shape: Shape) -> Terrain:
    """A valley with spurs and gullies on its sides; the scene's centre always lies on a slope."""
    rows, cols = np.indices(shape, np.float32)
    row, col = rows - shape[0] / 2, cols - shape[1] / 2
    floor, angle = rng.uniform(30, 110), rng.uniform(0, 2 * np.pi)
    offset = floor + rng.uniform(0, 0.6) * np.hypot(*shape)
    along = np.float32(np.cos(angle)) * row + np.float32(np.sin(angle)) * col
    axis = np.float32(np.cos(angle)) * col - np.float32(np.sin(angle)) * row + np.float32(offset)
    across = np.abs(axis + 32 * fractal(rng, shape, 600, 150, 1.2))
    rise = np.maximum(across - floor, 0)
    wander = along + rng.uniform(-0.25, 0.25) * across + 22 * fractal(rng, shape, 260, 40, 1.2)
    relief = rng.uniform(7, 13) * fractal(rng, shape, 420, 24, 1.1)
    for span in rng.uniform((110, 45), (260, 90)).tolist():
        relief += 0.17 * span * np.abs(np.sin(np.pi / span * wander + rng.uniform(0, np.pi)))
    height = rng.uniform(0.4, 0.7) * rise + relief * smoothstep(rise, 0, 160)
    height = height + 0.5 * fractal(rng, shape, 60, 8)
    downhill = -np.stack([*np.gradient(blurred(height, 13))], axis=-1)
    slope = np.hypot(downhill[..., 0], downhill[..., 1])
    return Terrain(height, along, across, floor, downhill, slope)
