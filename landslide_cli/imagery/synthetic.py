"""Synthetic aerial scenes of mountain valleys, with landslides whose mask is known exactly.

A scene is built the way the ground is: a height field first, then layers of material laid on it,
each with an albedo and a relief of its own. One sun then lights the whole surface, cast shadows
included, and one camera takes the picture. All lengths are pixels of about 0.5 m, heights too, so a
larger scene shows more ground, not larger trees.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]
Indices = NDArray[np.intp]
Shape = tuple[int, int]

SMALLEST_SIDE = 64
SHARE_WITHOUT_LANDSLIDES = 1 / 8
MOST_LANDSLIDES = 5
MOST_BARE = 0.3  # of the pixels, all landslides together
STEP = 2.0  # pixels between the points of a landslide's path


def _palette(colours: str) -> Floats:
    """RGB albedos in [0, 1], one row for each hexadecimal colour."""
    codes = np.frombuffer(bytes.fromhex(colours), np.uint8)
    return codes.reshape(-1, 3).astype(np.float32) / np.float32(255)


LEAVES = _palette("455c2e 304724 6b752b 615445 70572e")
CROPS = _palette("6b8540 547033 949154 85664a 9e805e 80945c")
WATERS = _palette("5c786b 999180")
ROADS = _palette("999999 b39978")
ROOFS = _palette("ccccc9 8c8c8f 575457 9e5745 5480b3")
LUSH, DRY, THIN_SOIL = _palette("5c7038 857a4d 998769")
GRAVEL, QUARRY = _palette("adaba3 a8a191")
SOILS = _palette("bd946e ad7d59 c7a394 c7b599")
DEBRIS = _palette("b3ada3 9e998f ccc4b8")


@dataclass(frozen=True)
class _Terrain:
    """The bare relief, and each place's distance `along` the valley and `across` from its axis."""

    height: Floats
    along: Floats
    across: Floats
    floor: float  # half the width of the flat valley floor
    downhill: Floats  # (rows, cols, 2): the steepest descent as (row, col), as long as the slope
    slope: Floats

    @property
    def shape(self) -> Shape:
        return self.height.shape[0], self.height.shape[1]


@dataclass(frozen=True)
class _Surface:
    """What the light falls on; no tree takes root where the ground is `cleared`."""

    albedo: Floats  # (rows, cols, 3) in [0, 1]
    height: Floats
    cleared: Bools

    def under(self, cover: Floats, albedo: Floats, relief: ArrayLike = 0) -> _Surface:
        """This surface with a layer over it where `cover` is 1, higher by `relief`."""
        mixed = self.albedo + cover[..., None] * (np.asarray(albedo, np.float32) - self.albedo)
        height = self.height + cover * np.asarray(relief, np.float32)
        return _Surface(mixed, height, self.cleared | (cover > 0.3))


@dataclass(frozen=True)
class _Landslides:
    """Where landslides lie, and for each of their pixels its place in the flow."""

    bare: Bools
    which: NDArray[np.uint8]  # the landslide's number
    travel: Floats  # 0 at the crown, 1 at the tip of the debris fan
    along: Floats  # the same in pixels
    aside: Floats  # -1 and 1 at the flanks


def draw_scene(
    seed: int, index: int, width: int, height: int
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Draw scene `index` of the series `seed`: an aerial view of a mountain valley and its mask.

    Drawn are relief with drainage, forest, grass, and by chance fields, a river with gravel bars,
    roads, bare ridges, a quarry and houses; season, sun, haze and camera differ between scenes.
    Seven scenes in eight have one to five landslides, as a rule on 3 to 30 % of the pixels: bare
    scars that run down the relief from a crown through a narrower track to a fan of debris. Trees
    and islands of vegetation that survive in a scar are vegetation in the image and background in
    the mask; shadow on bare ground is landslide.

    Returns the image, uint8 (rows, cols, 3) RGB, and the mask, uint8 (rows, cols) with 0 background
    and 1 landslide. The same four arguments give the same bytes. Raises ValueError for a side of
    less than 64 pixels.
    """
    if min(width, height) < SMALLEST_SIDE:
        raise ValueError(f"a scene needs {SMALLEST_SIDE} pixels a side, not {width} x {height}")
    # A generator for each part, so that a change to one leaves the others as they are.
    parts = iter(np.random.default_rng([seed, index]).spawn(11))
    terrain = _terrain(next(parts), (height, width))
    landslides = _landslides(next(parts), terrain)
    surface = _grass(next(parts), terrain)
    surface = _fields(next(parts), terrain, surface)
    surface = _river(next(parts), terrain, surface)
    surface = _quarry(next(parts), terrain, surface)
    surface = _roads(next(parts), terrain, surface)
    surface = _scars(next(parts), landslides, surface)
    surface = _houses(next(parts), terrain, surface, landslides.bare)
    surface, crowns = _forest(next(parts), surface)
    image = _photograph(next(parts), surface)
    return image, (landslides.bare & ~crowns).astype(np.uint8)


def _fractal(
    rng: Generator, shape: Shape, largest: float, smallest: float, fall: float = 1.0
) -> Floats:
    """Noise of about unit variance: octaves of wavelengths whose amplitude is wavelength**fall."""
    octaves = max(0, round(np.log2(largest / smallest)))
    cell = smallest / 2 * 2**octaves
    noise: Floats = np.zeros([int(side / cell) + 5 for side in shape], np.float32)
    variance = 0.0
    for octave in range(octaves, -1, -1):
        cell = smallest / 2 * 2**octave
        rows, cols = (int(side / cell) + 5 for side in shape)
        coarser = cv2.resize(noise, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)[:rows, :cols]
        noise = coarser * np.float32(2**fall) + rng.standard_normal((rows, cols), np.float32)
        variance = variance * 4**fall + 1
    noise /= np.float32(np.sqrt(variance))
    full = cv2.resize(noise, None, fx=cell, fy=cell, interpolation=cv2.INTER_CUBIC)
    return np.ascontiguousarray(full[: shape[0], : shape[1]])


def _step(values: ArrayLike, low: float, high: float) -> Floats:
    """A smooth step from 0 at `low` to 1 at `high`."""
    ramp: Floats = np.clip((np.asarray(values, np.float32) - low) / (high - low), 0, 1)
    return ramp * ramp * (3 - 2 * ramp)


def _choose(rng: Generator, colours: Floats, count: int) -> Floats:
    """`count` colours between pairs of the given ones, each a little brighter or darker."""
    first, second = colours[rng.integers(len(colours), size=(2, count))]
    mixed: Floats = first + rng.random((count, 1), np.float32) * (second - first)
    return mixed * rng.uniform(0.85, 1.15, (count, 1)).astype(np.float32)


def _textured(colour: Floats, texture: Floats) -> Floats:
    """The colour at every pixel, brighter or darker by the share `texture`."""
    return colour * (1 + texture[..., None])


def _blurred(values: Floats, sigma: float) -> Floats:
    return np.asarray(cv2.GaussianBlur(values, (0, 0), sigma), np.float32)


def _nearest(shape: Shape, points: Floats) -> tuple[Floats, Indices]:
    """For each pixel the distance to the nearest (row, col) point in `shape`, and its number."""
    row, col = np.round(points).astype(int).T
    inside = np.flatnonzero((row >= 0) & (row < shape[0]) & (col >= 0) & (col < shape[1]))
    if not inside.size:
        return np.full(shape, np.inf, np.float32), np.zeros(shape, np.intp)
    row, col = row[inside], col[inside]
    ground = np.ones(shape, np.uint8)
    ground[row, col] = 0
    away, labels = cv2.distanceTransformWithLabels(
        ground, cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    number = np.zeros(labels.max() + 1, np.intp)
    number[labels[row, col]] = inside
    return away, number[labels]


def _lumps(
    rng: Generator, chance: Floats, spacing: int, smallest: float, largest: float
) -> tuple[Floats, Indices, Indices]:
    """Ragged domes (crowns, blocks, pebbles), their number at each pixel, and their places."""
    shape = chance.shape[0], chance.shape[1]
    corners = np.argwhere(np.ones([-(-side // spacing) for side in shape])) * spacing
    places = np.minimum(corners + rng.integers(0, spacing, corners.shape), np.array(shape) - 1)
    places = places[rng.random(len(places)) < chance[places[:, 0], places[:, 1]]]
    places = places if len(places) else np.full((1, 2), -spacing)  # one out of sight
    away, nearest = _nearest(shape, places)
    radius = rng.uniform(smallest, largest, len(places)).astype(np.float32)[nearest]
    reach = radius * (1 + 0.18 * _fractal(rng, shape, 8, 2.5, 0.3))
    dome = radius * np.sqrt(np.clip(1 - (away / np.maximum(reach, 0.5)) ** 2, 0, 1))
    return dome, nearest, places


def _terrain(rng: Generator, shape: Shape) -> _Terrain:
    """A valley with spurs and gullies on its sides; the scene's centre always lies on a slope."""
    rows, cols = np.indices(shape, np.float32)
    row, col = rows - shape[0] / 2, cols - shape[1] / 2
    floor, angle = rng.uniform(30, 110), rng.uniform(0, 2 * np.pi)
    offset = floor + rng.uniform(0, 0.6) * np.hypot(*shape)
    along = np.float32(np.cos(angle)) * row + np.float32(np.sin(angle)) * col
    axis = np.float32(np.cos(angle)) * col - np.float32(np.sin(angle)) * row + np.float32(offset)
    across = np.abs(axis + 32 * _fractal(rng, shape, 600, 150, 1.2))
    rise = np.maximum(across - floor, 0)
    wander = along + rng.uniform(-0.25, 0.25) * across + 22 * _fractal(rng, shape, 260, 40, 1.2)
    relief = rng.uniform(7, 13) * _fractal(rng, shape, 420, 24, 1.1)
    for span in rng.uniform((110, 45), (260, 90)).tolist():
        relief += 0.17 * span * np.abs(np.sin(np.pi / span * wander + rng.uniform(0, np.pi)))
    height = rng.uniform(0.4, 0.7) * rise + relief * _step(rise, 0, 160)
    height = height + 0.5 * _fractal(rng, shape, 60, 8)
    downhill = -np.stack([*np.gradient(_blurred(height, 13))], axis=-1)
    slope = np.hypot(downhill[..., 0], downhill[..., 1])
    return _Terrain(height, along, across, floor, downhill, slope)


def _grass(rng: Generator, terrain: _Terrain) -> _Surface:
    """Meadow, lush and dry, on which all else is laid; on ridges soil may show through."""
    patches, tufts = _fractal(rng, terrain.shape, 200, 6), _fractal(rng, terrain.shape, 14, 3, 0.3)
    dry = np.clip(rng.uniform(0.1, 0.6) + 0.25 * patches, 0, 1)[..., None]
    crest = (terrain.height - _blurred(terrain.height, 25)) / 5 + 0.8 * patches
    thin = rng.choice([0, 0.7], p=[0.6, 0.4]) * _step(crest, 1.6, 2.6)[..., None]
    colour = LUSH + dry * (DRY - LUSH)
    colour = _textured(colour + thin.astype(np.float32) * (THIN_SOIL - colour), 0.1 * tufts)
    return _Surface(colour, terrain.height + 0.4 * tufts, thin[..., 0] > 0.5)


def _fields(rng: Generator, terrain: _Terrain, surface: _Surface) -> _Surface:
    """Parcels along the valley where it is gentle: green, ripe or ploughed to bare brown earth."""
    kinds = 4096
    deep, long = rng.uniform(26, 48), rng.uniform(60, 130)
    strip = (terrain.across + 3 * _fractal(rng, terrain.shape, 160, 40)) / deep
    number = strip.astype(int)
    place = terrain.along / long + rng.random(kinds, np.float32)[number % kinds]
    parcel = (number * 911 + np.floor(place).astype(int) * 37) % kinds
    gentle = _step(terrain.slope, 0.55, 0.2) + 0.35 * _fractal(rng, terrain.shape, 320, 60)
    pixels = np.maximum(np.bincount(parcel.ravel(), minlength=kinds), 1)
    tilled = np.bincount(parcel.ravel(), gentle.ravel(), kinds) / pixels > rng.uniform(0.3, 1.2)
    lengthwise, furrow = rng.random(kinds)[parcel] < 0.6, rng.uniform(0.9, 1.8, kinds)[parcel]
    rows = np.sin(np.where(lengthwise, strip * deep, place * long) * furrow).astype(np.float32)
    texture = rng.uniform(0.02, 0.14, kinds)[parcel] * rows
    texture = texture + 0.05 * _fractal(rng, terrain.shape, 40, 3)
    colours = _choose(rng, CROPS, kinds)[parcel]
    ends = (np.abs(place - np.round(place)) * long, np.abs(strip - np.round(strip)) * deep)
    cover = tilled[parcel] * _step(np.minimum(*ends), 0.8, 2.5)
    return surface.under(cover, _textured(colours, texture), 0.3 * rows)


def _river(rng: Generator, terrain: _Terrain, surface: _Surface) -> _Surface:
    """A river along the valley's axis between banks and bars of gravel."""
    half = terrain.floor * rng.uniform(0.3, 0.75)
    shore = terrain.across + 4 * _fractal(rng, terrain.shape, 90, 6)
    bars = _fractal(rng, terrain.shape, 150, 10, 1.4) + _step(terrain.across, 0.3 * half, half)
    bed, wet = (
        _step(shore, half + 7, half + 4),
        _step(bars, 1.35, 1.2) * _step(shore, half, half - 2),
    )
    pebbles, _, _ = _lumps(rng, 0.3 * bed, 6, 0.7, 2.2)
    gravel = _textured(GRAVEL, 0.07 * _fractal(rng, terrain.shape, 20, 3, 0.4))
    surface = surface.under(bed, gravel, 0.5 * pebbles - 1.5)
    water = _textured(_choose(rng, WATERS, 1)[0], 0.04 * _fractal(rng, terrain.shape, 60, 4, 0.8))
    return surface.under(wet, water, _blurred(terrain.height, 9) - 2.5 - surface.height)


def _quarry(rng: Generator, terrain: _Terrain, surface: _Surface) -> _Surface:
    """Bare benches along the contours, in one scene of four."""
    if rng.random() > 0.25:
        return surface
    rows, cols = np.indices(terrain.shape, np.float32)
    row, col = rng.uniform(0, terrain.shape)
    ragged = _fractal(rng, terrain.shape, 90, 5, 1.2)
    radius = rng.uniform(25, 70)
    away = np.hypot(rows - row, 1.2 * (cols - col)) + 12 * ragged
    bench = terrain.height / rng.uniform(8, 14) % 1
    ledge = _step(bench, 0, 0.5) - bench  # a steep riser, then a flat tread
    stone = _textured(QUARRY, 0.5 * ledge + 0.04 * ragged)
    return surface.under(_step(away, radius + 1, radius - 1), stone, 9 * ledge)


def _roads(rng: Generator, terrain: _Terrain, surface: _Surface) -> _Surface:
    """Up to two roads, paved or of earth, that climb gently on benches cut along the contours."""
    smooth = _blurred(terrain.height, 14)
    for _ in range(rng.integers(0, 3)):
        climb = smooth - rng.uniform(-0.12, 0.12) * terrain.along
        steepness = np.hypot(*np.gradient(climb))
        level = climb[tuple(rng.integers(terrain.shape))]
        off = (climb - level) / np.maximum(steepness, 0.12)
        half, kind = rng.uniform(2.5, 6.5), rng.integers(len(ROADS))
        wear = 0.05 * _fractal(rng, terrain.shape, 50, 3, 0.6) + 0.06 * kind * np.cos(2.2 * off)
        # On level ground a contour is an area, not a line, and no road.
        cover = _step(np.abs(off), half + 0.8, half - 0.5) * (steepness > 0.14)
        road = _textured(ROADS[kind] * np.float32(rng.uniform(0.85, 1.2)), wear)
        surface = surface.under(cover, road, 0.8 * np.clip(level - climb, -half, half))
    return surface


def _landslides(rng: Generator, terrain: _Terrain) -> _Landslides:
    """None in one scene of eight, else one to five that share a drawn part of the scene."""
    share = rng.uniform(0.08, 0.24) if rng.random() > SHARE_WITHOUT_LANDSLIDES else 0.0
    bare, which = np.zeros(terrain.shape, bool), np.zeros(terrain.shape, np.uint8)
    found = _Landslides(bare, which, *np.zeros((3, *terrain.shape), np.float32))
    tatters = _fractal(rng, terrain.shape, 64, 4, 0.7)
    islands = _fractal(rng, terrain.shape, 50, 6) > 1.75
    wanted = share * bare.size
    most = int(np.clip(wanted / 400, 1, MOST_LANDSLIDES))  # a scar under 400 pixels is no scar
    sizes = wanted * np.sort(rng.dirichlet(np.full(rng.integers(1, most + 1), 1.5)))[::-1]
    for number, size in enumerate(sizes[sizes > wanted / 30]):
        for _ in range(6):  # until one neither leaves the scene nor runs over what is bare already
            length = min(np.sqrt(size * rng.uniform(2.5, 7)), 0.75 * min(terrain.shape))
            path, run = _flow_path(rng, terrain, bare, length)
            margin = int(2 * size * run / len(path) / STEP) + 8
            first = np.clip(path.min(axis=0).astype(int) - margin, 0, terrain.shape)
            last = np.clip(path.max(axis=0).astype(int) + margin, 0, terrain.shape)
            window = slice(first[0], last[0]), slice(first[1], last[1])
            slide = _landslide(rng, path - first, size * run, number, tatters[window])
            laid = slide.bare & ~islands[window] & ~bare[window]
            if size / 2 < laid.sum() < MOST_BARE * bare.size - bare.sum():
                for name, whole in vars(found).items():
                    np.copyto(whole[window], getattr(slide, name), where=laid)
                break
    return found


def _flow_path(
    rng: Generator, terrain: _Terrain, taken: Bools, length: float
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
) -> _Landslides:
    """The ground that one landslide of about `size` pixels lays bare along `path`."""
    shape = tatters.shape[0], tatters.shape[1]
    _, nearest = _nearest(shape, path)
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
    return _Landslides(bare, which, travel, along, aside / np.maximum(half, 1))


def _streaks(rng: Generator, slides: _Landslides, width: float, stretch: float) -> Floats:
    """Noise drawn out along the flow: it narrows with the track and spreads with the fan."""
    noise = _fractal(rng, (512, 512), 4 * width, width / 4, 0.7)
    across = 45 * slides.aside + 97 * slides.which.astype(np.float32) + 60
    downslope = slides.along / np.float32(stretch) + 20
    mode = cv2.BORDER_REFLECT
    drawn: Floats = cv2.remap(noise, across, downslope, cv2.INTER_LINEAR, borderMode=mode)
    return drawn


def _scars(rng: Generator, slides: _Landslides, surface: _Surface) -> _Surface:
    """Bared soil that turns to grayer, blocky debris at the foot; streaks and gullies, a scarp."""
    shape = surface.cleared.shape
    streaks, rills = _streaks(rng, slides, 22, 2.5), _streaks(rng, slides, 8, 5)
    gullies = _step(np.abs(streaks + 0.3 * rills), 0.3, 0.05)
    grain = _fractal(rng, (shape[0], shape[1]), 12, 2.5, 0.2)
    rough = _step(slides.travel + 0.1 * grain, 0.3, 1)
    blocks, _, _ = _lumps(rng, slides.bare * (0.04 + 0.35 * rough), 6, 0.8, 3.4)
    soil, debris = (_choose(rng, some, MOST_LANDSLIDES)[slides.which] for some in (SOILS, DEBRIS))
    gray = _step(slides.travel + 0.22 * streaks + rng.uniform(-0.3, 0.5), 0.35, 1)
    gray = np.maximum(gray, 0.4 * (blocks > 0))
    texture = 0.1 * streaks + 0.1 * rills - 0.2 * gullies + (0.04 + 0.07 * rough) * grain
    albedo = _textured(soil + gray[..., None] * (debris - soil), texture)
    inward = cv2.distanceTransform(slides.bare.astype(np.uint8), cv2.DIST_L2, 5)
    scarp = (1 + 5 * _step(slides.travel, 0.3, 0.05)) * _step(slides.travel, 0.9, 0.5)
    pile = 1.2 * _step(slides.travel, 0.6, 0.85)
    relief = pile * _step(inward, 0, 9) - scarp * _step(inward, 0, 5) + blocks
    relief = relief + 0.35 * rills - 1.2 * gullies + (0.15 + 0.25 * rough) * grain
    return surface.under(slides.bare.astype(np.float32), albedo, relief)


def _houses(rng: Generator, terrain: _Terrain, surface: _Surface, bare: Bools) -> _Surface:
    """In three scenes of five a hamlet of pitched roofs on gentle ground, along the contours."""
    gentle = (terrain.slope < 0.35) & (terrain.across > 0.9 * terrain.floor)
    spots = np.argwhere(gentle & ~bare)
    if not len(spots) or rng.random() > 0.6:
        return surface
    albedo, height, built = surface.albedo.copy(), surface.height.copy(), bare.copy()
    places = np.moveaxis(np.indices(built.shape), 0, -1)
    near = spots[np.hypot(*(spots - rng.choice(spots)).T) < 90]
    for row, col in rng.choice(near, rng.integers(4, 16)):
        window = slice(max(row - 30, 0), row + 30), slice(max(col - 30, 0), col + 30)
        down = terrain.downhill[row, col] / max(float(terrain.slope[row, col]), 1e-6)
        offset = places[window] - (row, col)
        length, depth = rng.uniform(9, 19), rng.uniform(6, 10)
        side, span = np.abs(offset @ down), np.abs(offset @ (down[1], -down[0]))
        roof, yard = (span < length) & (side < depth), (span < length + 4) & (side < depth + 4)
        if not built[window][roof].any():
            eaves = surface.height[window][roof].max() + rng.uniform(6, 12)
            height[window][roof] = (eaves + 0.45 * (depth - side))[roof]
            albedo[window][roof] = ROOFS[rng.integers(len(ROOFS))] * rng.uniform(0.8, 1.2)
            built[window] |= yard
    return _Surface(albedo, height, surface.cleared | built)


def _forest(rng: Generator, surface: _Surface) -> tuple[_Surface, Bools]:
    """Undergrowth and tall crowns in stands; crowns may lean over the edge of cleared ground."""
    shape = surface.cleared.shape[0], surface.cleared.shape[1]
    cover = rng.uniform(0, 2) + 0.9 * _fractal(rng, shape, 280, 14, 1.3)
    chance = (0.04 + 0.86 * _step(cover, 0, 0.7)) * ~surface.cleared
    season = np.cumsum(rng.dirichlet((3, 4, 1, 0.6, 0.4)))[:-1]
    stands = 0.25 * _fractal(rng, shape, 160, 20)
    crowned = np.zeros(shape, bool)
    for spacing, smallest, largest, trunk in ((6, 2.2, 4.5, 1), (11, 4.0, 8.5, 4)):
        dome, tree, places = _lumps(rng, chance, spacing, smallest, largest)
        row, col = places.T
        kinds = np.searchsorted(season, (rng.random(len(places)) + stands[row, col]) % 1)
        tones = LEAVES[kinds] * rng.normal(1, 0.13, (len(places), 1)).astype(np.float32)
        leaves = _textured(tones[tree], 0.1 * _fractal(rng, shape, 5, 2, 0.2))
        crown = dome > 0
        surface = surface.under(crown.astype(np.float32), leaves, 1.15 * dome + trunk)
        crowned |= crown
    return surface, crowned


def _sunlit(surface: _Surface, azimuth: float, elevation: float) -> Floats:
    """Radiance of the surface under direct sun, with cast shadows, and a bluish sky."""
    towards = np.array([np.cos(azimuth), np.sin(azimuth)], np.float32)  # (row, col)
    climb = np.float32(np.tan(elevation))
    down, right = np.gradient(_blurred(surface.height, 0.7))
    facing = climb - down * towards[0] - right * towards[1]
    direct = np.maximum(facing, 0) / climb / np.sqrt(1 + down**2 + right**2)
    horizon = surface.height
    for distance in (1, 2, 4, 8, 16, 32):  # doubled, so that 63 pixels are looked at in six steps
        shift = np.array([[1, 0, distance * towards[1]], [0, 1, distance * towards[0]]], np.float32)
        how = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        size = horizon.shape[::-1]
        further = cv2.warpAffine(horizon, shift, size, flags=how, borderMode=cv2.BORDER_REPLICATE)
        horizon = np.maximum(horizon, further - distance * climb)
    direct = direct * _step(horizon - surface.height, 1.6, 0.2)
    sky = np.array([0.31, 0.34, 0.38], np.float32)
    light: Floats = sky + np.float32(0.68) * direct[..., None]
    return surface.albedo * light


def _photograph(rng: Generator, surface: _Surface) -> NDArray[np.uint8]:
    """The picture of one flight: its sun, softness, haze, exposure, colour cast, tone and noise."""
    light = _sunlit(surface, rng.uniform(0, 2 * np.pi), np.radians(rng.uniform(40, 66)))
    picture = _blurred(light, rng.uniform(0.45, 0.85))
    haze = rng.uniform(0, 0.22) * rng.random()
    picture = picture + haze * (np.array([0.80, 0.84, 0.88], np.float32) - picture)
    gain = rng.uniform(0.9, 1.25) * rng.normal(1, 0.04, 3)
    toned = np.maximum(picture * gain.astype(np.float32), 0) ** rng.uniform(0.8, 1.1)
    noise = rng.uniform(0.004, 0.015) * rng.standard_normal(picture.shape, np.float32)
    return np.clip((toned + noise) * 255 + 0.5, 0, 255).astype(np.uint8)
