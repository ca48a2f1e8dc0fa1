"""What covers the ground besides landslides, from the meadow below all else to the tree crowns."""

import numpy as np
from numpy.random import Generator

from landslide_cli.imagery.synthetic.patterns import Bools, blurred, fractal, lumps, smoothstep
from landslide_cli.imagery.synthetic.surface import Surface, choose_colours, palette, textured
from landslide_cli.imagery.synthetic.terrain import Terrain

LEAVES = palette("455c2e 304724 6b752b 615445 70572e")
CROPS = palette("6b8540 547033 949154 85664a 9e805e 80945c")
WATERS = palette("5c786b 999180")
ROADS = palette("999999 b39978")
ROOFS = palette("ccccc9 8c8c8f 575457 9e5745 5480b3")
LUSH, DRY, THIN_SOIL = palette("5c7038 857a4d 998769")
GRAVEL, QUARRY = palette("adaba3 a8a191")


def grow_grass(rng: Generator, terrain: Terrain) -> Surface:
    """Meadow, lush and dry, on which all else is laid; on ridges soil may show through."""
    patches, tufts = fractal(rng, terrain.shape, 200, 6), fractal(rng, terrain.shape, 14, 3, 0.3)
    dry = np.clip(rng.uniform(0.1, 0.6) + 0.25 * patches, 0, 1)[..., None]
    crest = (terrain.height - blurred(terrain.height, 25)) / 5 + 0.8 * patches
    thin = rng.choice([0, 0.7], p=[0.6, 0.4]) * smoothstep(crest, 1.6, 2.6)[..., None]
    colour = LUSH + dry * (DRY - LUSH)
    colour = textured(colour + thin.astype(np.float32) * (THIN_SOIL - colour), 0.1 * tufts)
    return Surface(colour, terrain.height + 0.4 * tufts, thin[..., 0] > 0.5)


def till_fields(rng: Generator, terrain: Terrain, surface: Surface) -> Surface:
    """Parcels along the valley where it is gentle: green, ripe or ploughed to bare brown earth."""
    kinds = 4096
    deep, long = rng.uniform(26, 48), rng.uniform(60, 130)
    strip = (terrain.across + 3 * fractal(rng, terrain.shape, 160, 40)) / deep
    number = strip.astype(int)
    place = terrain.along / long + rng.random(kinds, np.float32)[number % kinds]
    parcel = (number * 911 + np.floor(place).astype(int) * 37) % kinds
    gentle = smoothstep(terrain.slope, 0.55, 0.2) + 0.35 * fractal(rng, terrain.shape, 320, 60)
    pixels = np.maximum(np.bincount(parcel.ravel(), minlength=kinds), 1)
    tilled = np.bincount(parcel.ravel(), gentle.ravel(), kinds) / pixels > rng.uniform(0.3, 1.2)
    lengthwise, furrow = rng.random(kinds)[parcel] < 0.6, rng.uniform(0.9, 1.8, kinds)[parcel]
    rows = np.sin(np.where(lengthwise, strip * deep, place * long) * furrow).astype(np.float32)
    texture = rng.uniform(0.02, 0.14, kinds)[parcel] * rows
    texture = texture + 0.05 * fractal(rng, terrain.shape, 40, 3)
    colours = choose_colours(rng, CROPS, kinds)[parcel]
    ends = (np.abs(place - np.round(place)) * long, np.abs(strip - np.round(strip)) * deep)
    cover = tilled[parcel] * smoothstep(np.minimum(*ends), 0.8, 2.5)
    return surface.under(cover, textured(colours, texture), 0.3 * rows)


def lay_river(rng: Generator, terrain: Terrain, surface: Surface) -> Surface:
    """A river along the valley's axis between banks and bars of gravel."""
    half = terrain.floor * rng.uniform(0.3, 0.75)
    shore = terrain.across + 4 * fractal(rng, terrain.shape, 90, 6)
    bars = fractal(rng, terrain.shape, 150, 10, 1.4) + smoothstep(terrain.across, 0.3 * half, half)
    bed = smoothstep(shore, half + 7, half + 4)
    wet = smoothstep(bars, 1.35, 1.2) * smoothstep(shore, half, half - 2)
    pebbles, _, _ = lumps(rng, 0.3 * bed, 6, 0.7, 2.2)
    gravel = textured(GRAVEL, 0.07 * fractal(rng, terrain.shape, 20, 3, 0.4))
    surface = surface.under(bed, gravel, 0.5 * pebbles - 1.5)
    tint = choose_colours(rng, WATERS, 1)[0]
    water = textured(tint, 0.04 * fractal(rng, terrain.shape, 60, 4, 0.8))
    return surface.under(wet, water, blurred(terrain.height, 9) - 2.5 - surface.height)


def open_quarry(rng: Generator, terrain: Terrain, surface: Surface) -> Surface:
    """Bare benches along the contours, in a quarter of the scenes."""
    if rng.random() > 0.25:
        return surface
    rows, cols = np.indices(terrain.shape, np.float32)
    row, col = rng.uniform(0, terrain.shape)
    ragged = fractal(rng, terrain.shape, 90, 5, 1.2)
    radius = rng.uniform(25, 70)
    away = np.hypot(rows - row, 1.2 * (cols - col)) + 12 * ragged
    bench = terrain.height / rng.uniform(8, 14) % 1
    ledge = smoothstep(bench, 0, 0.5) - bench  # a steep riser, then a flat tread
    stone = textured(QUARRY, 0.5 * ledge + 0.04 * ragged)
    return surface.under(smoothstep(away, radius + 1, radius - 1), stone, 9 * ledge)


def cut_roads(rng: Generator, terrain: Terrain, surface: Surface) -> Surface:
    """Up to two roads, paved or of earth, that climb gently on benches cut along the contours."""
    smooth = blurred(terrain.height, 14)
    for _ in range(rng.integers(0, 3)):
        climb = smooth - rng.uniform(-0.12, 0.12) * terrain.along
        steepness = np.hypot(*np.gradient(climb))
        level = climb[tuple(rng.integers(terrain.shape))]
        off = (climb - level) / np.maximum(steepness, 0.12)
        half, kind = rng.uniform(2.5, 6.5), rng.integers(len(ROADS))
        wear = 0.05 * fractal(rng, terrain.shape, 50, 3, 0.6) + 0.06 * kind * np.cos(2.2 * off)
        # On level ground a contour is an area, not a line, and no road.
        cover = smoothstep(np.abs(off), half + 0.8, half - 0.5) * (steepness > 0.14)
        road = textured(ROADS[kind] * np.float32(rng.uniform(0.85, 1.2)), wear)
        surface = surface.under(cover, road, 0.8 * np.clip(level - climb, -half, half))
    return surface


def build_houses(rng: Generator, terrain: Terrain, surface: Surface, bare: Bools) -> Surface:
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
    return Surface(albedo, height, surface.cleared | built)


def grow_forest(rng: Generator, surface: Surface) -> tuple[Surface, Bools]:
    """Undergrowth and tall crowns in stands; crowns may lean over the edge of cleared ground."""
    cover = rng.uniform(0, 2) + 0.9 * fractal(rng, surface.shape, 280, 14, 1.3)
    chance = (0.04 + 0.86 * smoothstep(cover, 0, 0.7)) * ~surface.cleared
    season = np.cumsum(rng.dirichlet((3, 4, 1, 0.6, 0.4)))[:-1]
    stands = 0.25 * fractal(rng, surface.shape, 160, 20)
    crowned = np.zeros(surface.shape, bool)
    for spacing, smallest, largest, trunk in ((6, 2.2, 4.5, 1), (11, 4.0, 8.5, 4)):
        dome, tree, places = lumps(rng, chance, spacing, smallest, largest)
        row, col = places.T
        kinds = np.searchsorted(season, (rng.random(len(places)) + stands[row, col]) % 1)
        tones = LEAVES[kinds] * rng.normal(1, 0.13, (len(places), 1)).astype(np.float32)
        leaves = textured(tones[tree], 0.1 * fractal(rng, surface.shape, 5, 2, 0.2))
        crown = dome > 0
        surface = surface.under(crown.astype(np.float32), leaves, 1.15 * dome + trunk)
        crowned |= crown
    return surface, crowned
