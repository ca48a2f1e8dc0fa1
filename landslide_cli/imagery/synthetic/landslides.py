"""Landslides: where they run down the relief, and the bare ground that they leave."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from landslide_cli.imagery.synthetic.patterns import (
    Bools,
    Floats,
    fractal,
    lumps,
    nearest_point,
    smoothstep,
)
from landslide_cli.imagery.synthetic.surface import Surface, choose_colours, palette, textured
from landslide_cli.imagery.synthetic.terrain import Terrain

SHARE_WITHOUT_LANDSLIDES = 1 / 8
MOST_LANDSLIDES = 5
MOST_BARE = 0.3  # of the pixels, all landslides together
STEP = 2.0  # pixels between the points of a landslide's path

SOILS = palette("bd946e ad7d59 c7a394 c7b599")
DEBRIS = palette("b3ada3 9e998f ccc4b8")


@dataclass(frozen=True)
class Landslides:
    """Where landslides lie, and for each of their pixels its place in the flow."""

    bare: Bools
    which: NDArray[np.uint8]  # the landslide's number
    travel: Floats  # 0 at the crown, 1 at the tip of the debris fan
    along: Floats  # the same in pixels
    aside: Floats  # -1 and 1 at the flanks


def release_landslides(rng: Generator, terrain: Terrain) -> Landslides:
    """None in an eighth of the scenes, otherwise one to five, on a drawn share of the scene."""
    share = rng.uniform(0.08, 0.24) if rng.random() > SHARE_WITHOUT_LANDSLIDES else 0.0
    bare, which = np.zeros(terrain.shape, bool), np.zeros(terrain.shape, np.uint8)
    released = Landslides(bare, which, *np.zeros((3, *terrain.shape), np.float32))
    tatters = fractal(rng, terrain.shape, 64, 4, 0.7)
    islands = fractal(rng, terrain.shape, 50, 6) > 1.75
    wanted = share * bare.size
    most = int(np.clip(wanted / 400, 1, MOST_LANDSLIDES))  # a scar under 400 pixels is no scar
    sizes = wanted * np.sort(rng.dirichlet(np.full(rng.integers(1, most + 1), 1.5)))[::-1]
    for number, size in enumerate(sizes[sizes > wanted / 30]):
        for _ in range(6):  # until a path stays in the scene and off bare ground
            length = min(np.sqrt(size * rng.uniform(2.5, 7)), 0.75 * min(terrain.shape))
            path, run = _flow_path(rng, terrain, bare, length)
            margin = int(2 * size * run / len(path) / STEP) + 8
            first = np.clip(path.min(axis=0).astype(int) - margin, 0, terrain.shape)
            last = np.clip(path.max(axis=0).astype(int) + margin, 0, terrain.shape)
            window = slice(first[0], last[0]), slice(first[1], last[1])
            slide = _landslide(rng, path - first, size * run, number, tatters[window])
            laid = slide.bare & ~islands[window] & ~bare[window]
            if size / 2 < laid.sum() < MOST_BARE * bare.size - bare.sum():
                for name, whole in vars(released).items():
                    np.copyto(whole[window], getattr(slide, name), where=laid)
                break
    return released


def _flow_path(
    rng: Generator, terrain: Terrain, taken: Bools, length: float
) -> tuple[Floats, float]:
    """Points (row, col) from a crown on steep free ground down to the flat, and the share run."""
    shape = np.array(terrain.shape)
    points = rng.uniform(0, shape, (16, 2))
    heading, merit, paths = np.zeros_like(points), np.zeros(len(points)), [points]
    for _ in range(int(length / STEP) + 4):
        row, col = np.clip(points.astype(int), 0, shape - 1).T
        slope = terrain.slope[row, col]
        pull = terrain.downhill[row, col] / np.maximum(slope, 0.2)[:, None]
        heading = 0.93 * heading + 0.07 * pull
        points = points + STEP * heading / np.maximum(np.hypot(*heading.T), 1e-6)[:, None]
        outside = ((points < 8) | (points > shape - 8)).any(axis=1)
        merit += np.minimum(slope, 0.6) - 1.5 * outside - 2 * taken[row, col]
        paths.append(points)
    path = np.array(paths, np.float32)[:, np.argmax(merit)]
    row, col = np.clip(path.astype(int), 0, shape - 1).T
    flat = np.flatnonzero(terrain.slope[row, col] < 0.1)
    run = path[: min(flat[flat > 0.4 * len(path)], default=len(path)) + 10]
    return run, len(run) / len(path)


def _landslide(
    rng: Generator, path: Floats, size: float, number: int, tatters: Floats
) -> Landslides:
    """The ground that a landslide of about `size` pixels lays bare along `path`."""
    shape = tatters.shape[0], tatters.shape[1]
    _, nearest = nearest_point(shape, path)
    tangent = np.gradient(path, axis=0)
    tangent /= np.maximum(np.hypot(tangent[:, :1], tangent[:, 1:]), 1e-6)
    rows, cols = np.indices(shape, np.float32)
    row, col = rows - path[nearest, 0], cols - path[nearest, 1]
    along = nearest * np.float32(STEP) + tangent[nearest, 0] * row + tangent[nearest, 1] * col
    aside = tangent[nearest, 0] * col - tangent[nearest, 1] * row
    length = STEP * (len(path) - 1)
    travel = along / np.float32(length) + 0.04 * tatters
    neck, fan = rng.uniform(0.4, 0.85), rng.uniform(0.8, 1.5)
    stations = [0, 0.02, 0.07, 0.2, 0.45, 0.62, 0.82, 0.93, 0.98, 1]
    outline = [0, 0.4, 0.8, 1, neck, 0.9 * neck, fan, 0.8 * fan, 0.4 * fan, 0]
    mean = np.interp(np.linspace(0, 1, 50), stations, outline).mean()
    widest = size / length / 2 / mean
    half = widest * np.interp(travel, stations, outline, 0, 0).astype(np.float32)
    bare = (np.abs(aside) < half * (1 + 0.25 * tatters) + 2.5 * tatters) & (half > 0)
    which = np.full(shape, number, np.uint8)
    return Landslides(bare, which, travel, along, aside / np.maximum(half, 1))


def lay_scars(rng: Generator, slides: Landslides, surface: Surface) -> Surface:
    """Bared soil that turns to grayer, blocky debris at the foot; streaks and gullies, a scarp."""
    streaks, rills = _streaks(rng, slides, 22, 2.5), _streaks(rng, slides, 8, 5)
    gullies = smoothstep(np.abs(streaks + 0.3 * rills), 0.3, 0.05)
    grain = fractal(rng, surface.shape, 12, 2.5, 0.2)
    rough = smoothstep(slides.travel + 0.1 * grain, 0.3, 1)
    blocks, _, _ = lumps(rng, slides.bare * (0.04 + 0.35 * rough), 6, 0.8, 3.4)
    soil, debris = (
        choose_colours(rng, colours, MOST_LANDSLIDES)[slides.which] for colours in (SOILS, DEBRIS)
    )
    gray = smoothstep(slides.travel + 0.22 * streaks + rng.uniform(-0.3, 0.5), 0.35, 1)
    gray = np.maximum(gray, 0.4 * (blocks > 0))
    texture = 0.1 * streaks + 0.1 * rills - 0.2 * gullies + (0.04 + 0.07 * rough) * grain
    albedo = textured(soil + gray[..., None] * (debris - soil), texture)
    inward = cv2.distanceTransform(slides.bare.astype(np.uint8), cv2.DIST_L2, 5)
    scarp = (1 + 5 * smoothstep(slides.travel, 0.3, 0.05)) * smoothstep(slides.travel, 0.9, 0.5)
    pile = 1.2 * smoothstep(slides.travel, 0.6, 0.85)
    relief = pile * smoothstep(inward, 0, 9) - scarp * smoothstep(inward, 0, 5) + blocks
    relief = relief + 0.35 * rills - 1.2 * gullies + (0.15 + 0.25 * rough) * grain
    return surface.under(slides.bare.astype(np.float32), albedo, relief)


def _streaks(rng: Generator, slides: Landslides, width: float, stretch: float) -> Floats:
    """Noise drawn out along the flow: it narrows with the track and spreads with the fan."""
    noise = fractal(rng, (512, 512), 4 * width, width / 4, 0.7)
    across = 45 * slides.aside + 97 * slides.which.astype(np.float32) + 60
    downslope = slides.along / np.float32(stretch) + 20
    mode = cv2.BORDER_REFLECT
    drawn: Floats = cv2.remap(noise, across, downslope, cv2.INTER_LINEAR, borderMode=mode)
    return drawn
