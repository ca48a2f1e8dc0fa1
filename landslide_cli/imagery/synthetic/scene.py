"""A whole scene, built the way the ground is.

A height field comes first, then layers of material laid on it, each with an albedo and a relief of
its own. One sun then lights the whole surface, cast shadows included, and one camera takes the
picture. All lengths are pixels of about 0.5 m, heights too, so a larger scene shows more ground,
not larger trees.
"""

import numpy as np
from numpy.typing import NDArray

from landslide_cli.imagery.synthetic.cover import (
    build_houses,
    cut_roads,
    grow_forest,
    grow_grass,
    lay_river,
    open_quarry,
    till_fields,
)
from landslide_cli.imagery.synthetic.landslides import lay_scars, release_landslides
from landslide_cli.imagery.synthetic.light import photograph
from landslide_cli.imagery.synthetic.terrain import form_valley

SMALLEST_SIDE = 64


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

    Args:
        seed: of the series.
        index: of the scene in it. The same four arguments give the same bytes.
        width: columns of the scene, at least `SMALLEST_SIDE`.
        height: rows of the scene, likewise.

    Returns:
        The image, (rows, cols, 3) uint8, red, green and blue; and the mask, (rows, cols) uint8, 0
        for background and 1 for landslide.

    Raises:
        ValueError: a side is too small.
    """
    if min(width, height) < SMALLEST_SIDE:
        raise ValueError(f"a scene needs {SMALLEST_SIDE} pixels a side, not {width} x {height}")
    # A generator for each part, so that a change to one leaves the others as they are.
    parts = iter(np.random.default_rng([seed, index]).spawn(11))
    terrain = form_valley(next(parts), (height, width))
    landslides = release_landslides(next(parts), terrain)
    surface = grow_grass(next(parts), terrain)
    surface = till_fields(next(parts), terrain, surface)
    surface = lay_river(next(parts), terrain, surface)
    surface = open_quarry(next(parts), terrain, surface)
    surface = cut_roads(next(parts), terrain, surface)
    surface = lay_scars(next(parts), landslides, surface)
    surface = build_houses(next(parts), terrain, surface, landslides.bare)
    surface, crowns = grow_forest(next(parts), surface)
    image = photograph(next(parts), surface)
    return image, (landslides.bare & ~crowns).astype(np.uint8)
