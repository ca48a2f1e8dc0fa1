"""Reading the bands of a scene from all the files that they lie in, and deriving others of them."""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from rasterio.crs import CRS

from landslide_cli.core.composition import OF_TERRAIN, Band, Composition
from landslide_cli.errors import DataError, counted
from landslide_cli.imagery.raster.aligned import aligned_layer
from landslide_cli.imagery.raster.bands import plan_file
from landslide_cli.imagery.raster.derived import NORTH_UP, Axes, Floats, derive
from landslide_cli.imagery.raster.edge import Encoding
from landslide_cli.imagery.raster.georeference import Georeference, georeference_of
from landslide_cli.imagery.raster.grid_file import Bools, GridFile, Span
from landslide_cli.imagery.raster.preprocessing import Preprocessing
from landslide_cli.imagery.raster.sampling import sampled_windows
from landslide_cli.imagery.raster.shift import shift_between

# Types of pixels that tiles have; values of other types are stored as float32.
_STORED = frozenset({"uint8", "uint16", "int16"})

# Side of the windows in which an image before the event is compared with the scene, in pixels, and
# the shift from which on it is told.
_COMPARED, _TOLD_SHIFT = 1024, 1.0

# The share of a band's values outside of its range from which on the range is a mistake.
_UNFIT = 0.5

# The least share of a scene that a layer covers without being told.
_COVERED = 0.999


class BandStack:
    """The bands of a scene, read rectangle by rectangle.

    Values have the units of their files, or of what is derived of them; `levels` brings them to
    where 0 and 255 are the ends of their ranges.

    Args:
        path: of the scene.
        dataset: the scene, opened.
        preprocessing: with a composition, and the files of its layers.
        datasets: closes the layers.

    Raises:
        DataError: a file has other bands than the composition needs; a layer is missing, cannot be
            read, or cannot be laid on the scene; bands of terrain need a GSD that is not known.
    """

    def __init__(
        self, path: Path, dataset: Any, preprocessing: Preprocessing, datasets: ExitStack
    ) -> None:
        if preprocessing.composition is None:
            raise ValueError("a stack of bands needs a composition")
        self._path = path
        self.composition: Composition = preprocessing.composition
        self.height, self.width = int(dataset.height), int(dataset.width)
        own = self.composition.numbers(None)
        self.scene = GridFile(path, dataset, plan_file(path, dataset, own, preprocessing))
        self._files: dict[str | None, GridFile] = {None: self.scene}
        place = georeference_of(dataset)
        for layer in self.composition.layers:
            self._files[layer] = self._opened(layer, place, preprocessing, datasets)
        self._pixel = preprocessing.gsd_of(place, self.height, self.width)
        self._axes = _axes(place, self.height, self.width)
        terrain = [band for band in self.composition.bands if band.derived in OF_TERRAIN]
        if terrain and self._pixel is None:
            raise DataError(
                f"{path}: has no georeference, so {terrain[0].name} needs its GSD; set source.gsd"
            )
        if self.composition.takes_all and len(own) != len(self.scene.numbers):
            raise DataError(
                f"{path}: has {counted(len(self.scene.numbers), 'band')} where `bands` in the "
                f"profile lists {len(own)}; give each entry its `band`, or take other images"
            )
        # Of each input: the values outside of its range, and all.
        self.counts = np.zeros((2, len(self.composition.inputs)), np.int64)

    def _opened(
        self, layer: str, place: Georeference, preprocessing: Preprocessing, datasets: ExitStack
    ) -> GridFile:
        """Open the file of a layer on the grid of the scene, which lies at a place."""
        named, scene = dict(preprocessing.layers), self.scene.dataset
        if layer not in named:
            raise DataError(f"{self._path}: has no file for the layer {layer}; set source.layers")
        path, margin = Path(named[layer]), self.composition.halo
        numbers = self.composition.numbers(layer)
        aligned, covered = aligned_layer(
            self._path, scene, place, layer, path, numbers, margin, datasets
        )
        plan = plan_file(path, aligned, numbers, preprocessing)
        return GridFile(path, aligned, plan, margin if aligned.shape != scene.shape else 0, covered)

    @property
    def clipped(self) -> dict[str, float]:
        """Which share of the values read so far lay outside the range of a band, by its name.

        Of bands that percentiles scale, some always do.
        """
        outside, seen = self.counts
        shares = (outside / np.maximum(seen, 1)).tolist()
        named = zip(self.composition.inputs, shares, strict=True)
        return {band.name: share for band, share in named if share and band.scaling == "range"}

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type that holds the values of all inputs: that of the scene, or float32."""
        kinds = {
            self.scene.dataset.dtypes[band.number - 1] if band.is_of_scene else "float32"
            for band in self.composition.inputs
        }
        return np.dtype(kinds.pop() if len(kinds) == 1 and kinds <= _STORED else np.float32)

    @property
    def encoding(self) -> Encoding:
        """Black, white and a gray level in the numbers of the scene's file."""
        dtype = np.dtype(self.scene.dataset.dtypes[self.scene.plan.bands[0] - 1])
        if dtype == np.uint8:
            return Encoding(0.0, 255.0, 1.0)
        most = float(np.iinfo(dtype).max) if dtype.kind in "iu" else float("inf")
        return Encoding(0.0, most, 0.0)

    def read(self, rows: Span, cols: Span) -> tuple[Floats, Bools | None]:
        """Read the inputs in their own values, (bands, rows, cols), and tell which hold data."""
        halo = self.composition.halo
        wide = [(start - halo, stop + halo) for start, stop in (rows, cols)]
        values: dict[str, Floats] = {}
        known: list[Bools] = []
        for layer, file in self._files.items():
            if file.plan.bands:
                planes, valid = self._planes(layer, wide)
                values |= planes
                known += [] if valid is None else [valid]
        for band in self.composition.bands:
            if band.derived is not None:
                values[band.name] = derive(band, values, self._pixel, self._axes)
        height, width = rows[1] - rows[0], cols[1] - cols[0]
        inside = slice(halo, halo + height), slice(halo, halo + width)
        inputs = np.stack([values[band.name][inside] for band in self.composition.inputs])
        known = [valid[inside] for valid in known]
        if not self.scene.plan.is_whole or len(self._files) > 1:
            known.append(np.asarray(np.isfinite(inputs).all(axis=0)))
        both = np.logical_and.reduce(known) if known else None
        return inputs, None if both is None or both.all() else both

    def _planes(
        self, layer: str | None, spans: Sequence[Span]
    ) -> tuple[dict[str, Floats], Bools | None]:
        """Read the bands of a file, (rows, cols) each, by their names, and tell what holds data."""
        file = self._files[layer]
        values, valid = file.read(*spans)
        if valid is not None and (layer is not None or self.composition.halo):
            values[:, ~valid] = np.nan  # what is derived of it has no data either
        named = {
            band.name: values[file.plan.bands.index(band.number)]
            for band in self.composition.bands
            if band.derived is None and band.layer == layer
        }
        return named, valid

    def levels(self, values: Floats, valid: Bools | None) -> Floats:
        """Scale the inputs, (bands, rows, cols), which are changed, to (rows, cols, bands) float32.

        Raises:
            DataError: as `count_outside`; or nothing tells the range of a band yet.
        """
        self.count_outside(values, valid)
        result = np.empty((*values.shape[1:], len(values)), np.float32)
        for index, (band, plane) in enumerate(zip(self.composition.inputs, values, strict=True)):
            ends = self.limits[index]
            if ends is None:
                raise DataError(
                    f"{self._path}: nothing is known yet of the values of {band.name}; run "
                    "`landslide prepare`, or give the band a range"
                )
            if band.is_bounded:
                np.clip(plane, *ends, out=plane)
            low, high = ends
            result[..., index] = (plane - np.float32(low)) * np.float32(255.0 / (high - low))
        return result

    def count_outside(self, values: Floats, valid: Bools | None) -> None:
        """Count the values of the inputs, (bands, rows, cols), that lie outside of their ranges.

        Raises:
            DataError: there are such of a band that refuses them.
        """
        for index, (band, plane) in enumerate(zip(self.composition.inputs, values, strict=True)):
            ends = self.limits[index] if band.is_bounded else None
            if ends is None:
                continue
            (low, high), known = ends, plane if valid is None else plane[valid]
            outside = int(np.count_nonzero((known < low) | (known > high)))
            if outside and not band.clipped:
                raise DataError(
                    f"{self._path}: {band.name} has values from {known.min():g} to "
                    f"{known.max():g}, outside its range [{low:g}, {high:g}]; widen it, or set "
                    "outside: clip"
                )
            self.counts[:, index] += outside, known.size

    @cached_property
    def limits(self) -> list[tuple[float, float] | None]:
        """The values of each input that become 0 and 255; None where nothing tells them yet."""
        inputs = self.composition.inputs
        measured = None
        if any(band.scaling == "percentiles" for band in inputs):
            measured = self._sampled()
        limits: list[tuple[float, float] | None] = []
        for index, band in enumerate(inputs):
            if band.scaling == "percentiles" and measured is not None:
                limits.append(_percentiles(measured[index], band))
            elif band.scaling == "file":
                limits.append(self.scene.told_limits(band))
            elif band.is_implied:
                limits.append(self._files[band.layer].implied_limits(band))
            else:
                limits.append(None if band.scaling == "auto" else band.limits)
        return limits

    def _sampled(self) -> Floats:
        """Read the values with data in windows all over the scene, (bands, pixels)."""
        parts = []
        for rows, cols in sampled_windows(self.height, self.width):
            values, valid = self.read(rows, cols)
            parts.append(values.reshape(len(values), -1) if valid is None else values[:, valid])
        sampled = np.concatenate(parts, axis=1)
        if not sampled.shape[1]:
            return np.array([[0.0, 1.0]] * len(sampled), np.float32)
        return sampled

    def warnings(self) -> Iterator[str]:
        """Say what of the layers makes a poor result likely."""
        for layer, file in self._files.items():
            if layer is None:
                continue
            if file.covered < _COVERED:
                yield (
                    f"{file.path.name} has data on {file.covered:.0%} of the scene; the rest is "
                    f"taken for no data (layer {layer})"
                )
        for layer, (right, down) in self._shifts():
            length = float(np.hypot(right, down))
            if length > _TOLD_SHIFT:
                ways = _way(right, "right", "left"), _way(down, "down", "up")
                yield (
                    f"{self._files[layer].path.name} is shifted by {length:.1f} pixels against the "
                    f"scene ({', '.join(way for way in ways if way)}); align the two"
                )

    def _shifts(self) -> Iterator[tuple[str, tuple[float, float]]]:
        """Measure by how much layers are shifted against the scene, where they are subtracted.

        The middles of the two are compared.

        Yields:
            The layer, and by how many pixels it lies to the right and below.
        """
        by_name = {band.name: band for band in self.composition.bands}
        told: set[str] = set()
        for band in self.composition.bands:
            pair = [by_name[name] for name in band.of] if band.derived == "difference" else []
            layers = [operand.layer for operand in pair if operand.layer is not None]
            of_scene = [operand for operand in pair if operand.is_of_scene]
            if len(layers) != 1 or layers[0] in told or not of_scene:
                continue
            told.add(layers[0])
            other = next(operand for operand in pair if operand.layer is not None)
            shift = shift_between(self._middle(of_scene[0]), self._middle(other))
            if shift is not None:
                yield layers[0], shift

    def _middle(self, band: Band) -> Floats:
        """Read the middle of one band; its mean where there is no data."""
        spans = []
        for length in (self.height, self.width):
            side = min(length, _COMPARED)
            spans.append(((length - side) // 2, (length - side) // 2 + side))
        planes, valid = self._planes(band.layer, spans)
        plane = planes[band.name]
        known = np.isfinite(plane) if valid is None else np.isfinite(plane) & valid
        mean = float(plane[known].mean()) if known.any() else 0.0
        return np.where(known, plane - np.float32(mean), np.float32(0.0)).astype(np.float32)


def clipped_note(clipped: Mapping[str, float]) -> str:
    """Say which shares of bands' values lie outside of their ranges."""
    told = [f"{max(share, 1e-4):.2%} of {band}" for band, share in clipped.items()]
    return f"values outside of their range are cut off: {', '.join(told)}"


def is_mostly_clipped(clipped: Mapping[str, float]) -> bool:
    """Whether the range of a band cannot be that of its values."""
    return max(clipped.values(), default=0.0) > _UNFIT


def _way(pixels: float, positive: str, negative: str) -> str:
    amount = f"{abs(pixels):.1f}"
    return "" if amount == "0.0" else f"{amount} {positive if pixels > 0 else negative}"


def _percentiles(values: Floats, band: Band) -> tuple[float, float]:
    """Return the values that become 0 and 255: the ends of all where the percentiles are equal."""
    low, high = np.percentile(values, (band.low, band.high)).tolist()
    if not low < high:
        low, high = float(values.min()), float(values.max())
    return low, high if low < high else low + 1.0


def _axes(place: Georeference, height: int, width: int) -> Axes:
    """Return where rows and columns lead on the ground; north is up where that is not known."""
    if not place.is_known:
        return NORTH_UP
    crs, transform = CRS.from_wkt(str(place.crs)), place.transform
    _, north = transform @ (width / 2.0, height / 2.0)
    # A degree to the east is shorter than one to the north.
    narrower = math.cos(math.radians(north)) if crs.is_geographic else 1.0
    steps = (transform.a * narrower, transform.d), (transform.b * narrower, transform.e)
    (across, down) = ((x / math.hypot(x, y), y / math.hypot(x, y)) for x, y in steps)
    return across, down
