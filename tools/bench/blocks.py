"""`prepare` and a short `train` on one orthophoto, its landslides drawn as polygons, in blocks.

In `make bench` it has 20,480 x 20,480 pixels, which takes some minutes and 2 GB of disk. Run alone
with `python -m tools.bench.blocks`, and of another size with its side, such as 6144, behind it.
"""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import rasterio
import shapely
from affine import Affine
from pyogrio import raw
from rasterio.windows import Window

from landslide_cli.core.tiling.grid import ceil_div
from tools.bench.measuring import MEASURED, run_alone

SIDE, STRIP, GSD = 20_480, 1024, 0.5  # pixels, pixels, metres
LANDSLIDES = 400
CRS, LEFT, TOP = "EPSG:32648", 400_000.0, 3_450_000.0

_PROFILE = """\
name: blocks
dataset: '{folder}/dataset'
run: '{folder}/run'
source: {{images: '{folder}/orthophoto.tif', labels: {{files: '{folder}/inventory.gpkg'}}}}
prepare: {{tile: null}}
split: {{block: 600, buffer: 60}}
model: {{base_filters: 4, base_kernels: 3, num_layers: 4}}
train: {{crop: 256, crops: 16, epochs: 1, batch: 4, cache: none}}
"""


def bench_blocks(folder: Path, side: int = SIDE) -> Iterator[tuple[str, ...]]:
    """Measure time and peak memory of an orthophoto of `side` x `side` pixels."""
    folder = folder / "blocks"
    folder.mkdir()
    _draw_orthophoto(folder / "orthophoto.tif", side)
    _draw_inventory(folder / "inventory.gpkg", side)
    profile = folder / "blocks.yaml"
    profile.write_text(_PROFILE.format(folder=folder))
    for command in ("prepare", "split", "train"):
        began = time.perf_counter()
        # One worker, so that the peak of the process is that of all.
        options = ["--quiet", "--set", "prepare.workers=1"]
        arguments = [sys.executable, "-c", MEASURED, command, str(profile), *options]
        done = subprocess.run(arguments, capture_output=True, text=True, check=True)
        taken, peak = time.perf_counter() - began, float(done.stderr.split()[-1])
        yield f"{command}, {side} x {side} in blocks", f"{taken:.0f} s", ""
        yield f"{command}, {side} x {side} in blocks, peak memory", f"{peak:.2f} GB", ""


def _draw_orthophoto(path: Path, side: int) -> None:
    """Write red, green, blue and alpha of ground in squares, with a transparent border."""
    rng, border = np.random.default_rng(1), side // 40
    shape = {"width": side, "height": side, "count": 4, "dtype": "uint8"}
    tiles = {"tiled": True, "blockxsize": 512, "blockysize": 512, "compress": "deflate"}
    place = {"crs": CRS, "transform": Affine(GSD, 0, LEFT, 0, -GSD, TOP)}
    with rasterio.open(
        path, "w", driver="GTiff", photometric="RGB", alpha="YES", **shape, **tiles, **place
    ) as file:
        for top in range(0, side, STRIP):
            rows = min(STRIP, side - top)
            cells = rng.integers(60, 120, (4, STRIP // 8, ceil_div(side, 8)), np.uint8)
            strip = cells.repeat(8, axis=1).repeat(8, axis=2)[:, :rows, :side]
            strip[3] = 255
            strip[3, :, :border] = strip[3, :, side - border :] = 0
            file.write(strip, window=Window(0, top, side, rows))


def _draw_inventory(path: Path, side: int) -> None:
    """Write circles of 20 to 110 metres, at random places, as many for each area."""
    rng = np.random.default_rng(2)
    count = max(1, LANDSLIDES * side**2 // SIDE**2)
    share = rng.uniform(0.05, 0.95, (count, 2))
    centres = np.array([LEFT, TOP]) + share * np.array([side * GSD, -side * GSD])
    radii = rng.uniform(20, 110, count)
    shapes = shapely.buffer(shapely.points(centres), radii)
    raw.write(path, shapely.to_wkb(shapes), [], [], driver="GPKG", crs=CRS, geometry_type="Polygon")


if __name__ == "__main__":
    run_alone(lambda folder: bench_blocks(folder, *map(int, sys.argv[1:2])))
