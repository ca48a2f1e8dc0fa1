"""The lit surface, which grows layer by layer, and the colours of its materials."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike

from landslide_cli.imagery.synthetic.patterns import Bools, Floats, Shape


@dataclass(frozen=True)
class Surface:
    """What the light falls on; no tree takes root where the ground is `cleared`."""

    albedo: Floats  # (rows, cols, 3) in [0, 1]
    height: Floats
    cleared: Bools

    @property
    def shape(self) -> Shape:
        """Rows and columns."""
        return self.height.shape[0], self.height.shape[1]

    def under(self, cover: Floats, albedo: Floats, relief: ArrayLike = 0) -> Surface:
        """This surface with a layer over it where `cover` is 1, higher by `relief`."""
        mixed = self.albedo + cover[..., None] * (np.asarray(albedo, np.float32) - self.albedo)
        height = self.height + cover * np.asarray(relief, np.float32)
        return Surface(mixed, height, self.cleared | (cover > 0.3))


def palette(colours: str) -> Floats:
    """RGB albedos in [0, 1], one row for each hexadecimal colour."""
    codes = np.frombuffer(bytes.fromhex(colours), np.uint8)
    return codes.reshape(-1, 3).astype(np.float32) / np.float32(255)


def choose_colours(rng: Generator, colours: Floats, count: int) -> Floats:
    """`count` colours between pairs of the given ones, each a little brighter or darker."""
    first, second = colours[rng.integers(len(colours), size=(2, count))]
    mixed: Floats = first + rng.random((count, 1), np.float32) * (second - first)
    return mixed * rng.uniform(0.85, 1.15, (count, 1)).astype(np.float32)


def textured(colour: Floats, texture: Floats) -> Floats:
    """The colour at every pixel, brighter or darker by the share `texture`."""
    return colour * (1 + texture[..., None])
