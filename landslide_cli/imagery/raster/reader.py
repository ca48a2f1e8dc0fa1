"""Reading scenes for the model, whole or piece by piece, in memory that does not grow with them.

All formats go through rasterio (GDAL), which reads 8- and 16-bit gray, RGB, RGBA, palette and
many-band rasters alike and reports damage as an error.
"""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import cv2
import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window

from landslide_cli.core.arrays import Image
from landslide_cli.core.tiling.source import Piece
from landslide_cli.errors import DataError
from landslide_cli.imagery.raster.bands import BandPlan, plan_bands, told_otherwise
from landslide_cli.imagery.raster.border import Border, find_border
from landslide_cli.imagery.raster.edge import Encoding
from landslide_cli.imagery.raster.georeference import Georeference, georeference_of
from landslide_cli.imagery.raster.opening import (
    GDAL_ERRORS,
    explained,
    open_to_decode,
    require_bands,
)
from landslide_cli.imagery.raster.orientation import refuse_turned
from landslide_cli.imagery.raster.preprocessing import Preprocessing
from landslide_cli.imagery.raster.recognition import require_file
from landslide_cli.imagery.raster.rectify import rectified, rectified_mask
from landslide_cli.imagery.raster.stack import BandStack

Bools = NDArray[np.bool_]


class SceneReader:
    """A scene of any size, read piece by piece; to be opened and used in one thread.

    A pixel holds no data if all its bands have the raster's nodata value, or one band has it and
    the value lies outside the value range; if the raster's alpha band or the mask of a band says
    so; or if one of its bands is NaN. By the preprocessing's `nodata` it holds none if its bands
    have another value, likewise, or if it belongs to a border.

    Args:
        path: any raster that GDAL reads.
        preprocessing: how it becomes an image.
        warp: warp it by its ground control points or RPCs, if it has no other georeference; then
            `is_warped`, and its size is that of the warped scene.

    Raises:
        DataError: as `opened` and `refuse_turned`; or the raster has other bands than asked for, or
            values that no range is known for, complex ones or a palette of more than 256 colours;
            or it cannot be warped.
    """

    def __init__(self, path: Path, preprocessing: Preprocessing, warp: bool = False) -> None:
        self._path, self._preprocessing = path, preprocessing
        require_file(path)
        with ExitStack() as datasets, explained(path):
            self._dataset = datasets.enter_context(open_to_decode(path))
            require_bands(path, self._dataset)
            refuse_turned(path, self._dataset)
            self.is_warped = False
            if warp and (warped := _warped(path, self._dataset)) is not None:
                self._dataset, self.is_warped = datasets.enter_context(warped), True
            self._stack = None
            if preprocessing.composition is not None:
                self._stack = BandStack(path, self._dataset, preprocessing, datasets)
                self._plan = self._stack.scene.plan
            else:
                self._plan = plan_bands(path, self._dataset, preprocessing)
            self.height: int = self._dataset.height
            self.width: int = self._dataset.width
            self.georeference: Georeference = georeference_of(self._dataset)
            self._datasets = datasets.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._datasets.close()

    @property
    def standardized(self) -> bool:
        """Whether the model wants the scene standardized; the pixels read are not yet."""
        return self._preprocessing.standardized

    @property
    def kept(self) -> tuple[int, ...]:
        """The positions of bands that stay as they are where the scene is standardized."""
        composition = self._preprocessing.composition
        return () if composition is None else composition.kept

    @property
    def note(self) -> str | None:
        """What to tell of the order in which the bands are taken; None if nothing."""
        return self._plan.note

    @property
    def warning(self) -> str | None:
        """What the files say of their bands that makes a poor map likely; None if nothing."""
        if self._stack is None:
            return self._plan.warning
        with explained(self._path):
            return "; ".join(self._stack.warnings()) or None

    def told_otherwise(self, names: Sequence[str]) -> str | None:
        """Say which colours the file has elsewhere than names of its bands in turn claim."""
        return told_otherwise(self._dataset, names)

    @property
    def gsd(self) -> tuple[float, float] | None:
        """The scene's own GSD in metres, along a column and along a row; None if unknown."""
        return self._preprocessing.gsd_of(self.georeference, self.height, self.width)

    @property
    def scales(self) -> tuple[float, float]:
        """The factors by which rows and columns are resized for the model.

        Raises:
            DataError: as `Preprocessing.scales_of`.
        """
        return self._preprocessing.scales_of(self._path, self.georeference, self.height, self.width)

    @cached_property
    def border(self) -> Border | None:
        """The border that is no data although the file does not say so; found at the first use.

        Raises:
            DataError: the file is damaged there.
        """
        if self._preprocessing.nodata != "auto":
            return None
        if self.is_warped:
            return self._warped_border()
        if not self._plan.bands:
            return None  # all are read from layers, whose borders are declared
        encoding = self._stack.encoding if self._stack is not None else _encoding(self._plan)
        block_shape = self._dataset.block_shapes[self._plan.bands[0] - 1]
        return find_border(self._pixels, self.height, self.width, block_shape, encoding)

    def _warped_border(self) -> Border | None:
        """Find the border at the edge of the scene itself, and warp it with the scene."""
        with SceneReader(self._path, self._preprocessing) as upright:
            border, control = upright.border, upright.georeference.control
        if border is None or control is None:
            return None
        with explained(self._path):
            return replace(border, mask=rectified_mask(border.mask, control, self._dataset))

    def read(self, rows: tuple[int, int], cols: tuple[int, int]) -> Piece:
        """Read a rectangle.

        Args:
            rows: first row, and the row after the last.
            cols: likewise.

        Raises:
            DataError: the file is damaged there, or holds values outside the value range.
            ValueError: the rectangle is empty or not inside the scene.
        """
        self._check_inside(rows, cols)
        if self._stack is not None:
            with explained(self._path):
                values, valid = self._stack.read(rows, cols)
            valid = self._without_border(valid, rows, cols)
            image: Image = self._stack.levels(values, valid)
        else:
            values, valid = self._pixels(rows, cols)
            valid = self._without_border(valid, rows, cols)
            image = self._image(values, valid)
        if valid is not None:
            image[~valid] = 0
        return Piece(image, valid)

    def read_valid(self, rows: tuple[int, int], cols: tuple[int, int]) -> Bools | None:
        """Tell which pixels of a rectangle hold data, (rows, cols); None if all do.

        Of bands that a composition scales, nothing has to be known but where they lie.

        Args:
            rows: first row, and the row after the last.
            cols: likewise.

        Raises:
            DataError: as `read`.
            ValueError: likewise.
        """
        if self._stack is None:
            return self.read(rows, cols).valid
        self._check_inside(rows, cols)
        with explained(self._path):
            _, valid = self._stack.read(rows, cols)
        return self._without_border(valid, rows, cols)

    def read_values(self) -> tuple[NDArray[Any], Bools | None]:
        """Read the bands of a composition in their own values, not scaled.

        Returns:
            (rows, cols, bands) of the scene's type, or float32 where it cannot hold them; 0 where
            there is no data. And which pixels hold data, (rows, cols), None for all.

        Raises:
            DataError: the file is damaged, or has values that a band refuses.
            ValueError: the preprocessing has no composition.
        """
        if self._stack is None:
            raise ValueError("only a composition has bands in their own values")
        rows, cols = (0, self.height), (0, self.width)
        with explained(self._path):
            values, valid = self._stack.read(rows, cols)
        valid = self._without_border(valid, rows, cols)
        self._stack.count_outside(values, valid)
        if valid is not None:
            values[:, ~valid] = 0
        return np.ascontiguousarray(np.moveaxis(values, 0, -1), self._stack.dtype), valid

    @property
    def limits(self) -> list[tuple[float, float] | None] | None:
        """The values of each band of a composition that become 0 and 255; None without one.

        Of a band that the training set tells them of, None as long as that is not measured.

        Raises:
            DataError: the file is damaged.
        """
        return None if self._stack is None else self._stack.limits

    @property
    def clipped(self) -> dict[str, float]:
        """Which share of the values read so far lay outside the range of a band, by its name."""
        return {} if self._stack is None else self._stack.clipped

    @property
    def clipped_counts(self) -> NDArray[np.int64] | None:
        """What `clipped` is a share of, to be added to by those who read elsewhere.

        (2, bands): the values outside of the range of each, and all that were read; None without a
        composition.
        """
        return None if self._stack is None else self._stack.counts

    def _check_inside(self, rows: tuple[int, int], cols: tuple[int, int]) -> None:
        if not (0 <= rows[0] < rows[1] <= self.height and 0 <= cols[0] < cols[1] <= self.width):
            raise ValueError(f"rows {rows}, cols {cols} of {self.height} x {self.width} pixels")

    def _without_border(
        self, valid: Bools | None, rows: tuple[int, int], cols: tuple[int, int]
    ) -> Bools | None:
        border = None if self.border is None else self.border.within(rows, cols)
        if border is None:
            return valid
        return ~border if valid is None else valid & ~border

    def _pixels(
        self, rows: tuple[int, int], cols: tuple[int, int]
    ) -> tuple[NDArray[Any], Bools | None]:
        """Read values, (bands, rows, cols) as in the file, and tell which hold data."""
        with explained(self._path):
            return self._plan.read(self._dataset, Window.from_slices(rows, cols))

    def _image(self, values: NDArray[Any], valid: Bools | None) -> NDArray[np.uint8]:
        """Turn (bands, rows, cols) of any type into (rows, cols, bands) uint8."""
        if self._plan.painting is not None:
            return _merged([cv2.LUT(values[0], column) for column in self._plan.painting])
        scaled = _scaled(values, valid, self._plan.value_range, self._path)
        return _merged([*scaled] * self._plan.copies)


def _encoding(plan: BandPlan) -> Encoding:
    """Return black, white and a gray level in the numbers of a raster."""
    low, high = plan.value_range or (0, 255)
    step = 0.0 if plan.painting is not None else (high - low) / 255.0
    return Encoding(float(low), float(high), step)


def _scaled(
    values: NDArray[Any], valid: Bools | None, value_range: tuple[float, float] | None, path: Path
) -> NDArray[np.uint8]:
    """Map the value range to 0..255, (bands, rows, cols); any value where there is no data."""
    if value_range is None:
        return values
    if values.dtype == np.uint16 and value_range == (0, 65535):
        # Rounds each of the 65536 values as below, at six times the speed.
        return np.stack([cv2.convertScaleAbs(band, alpha=255.0 / 65535.0) for band in values])
    low, high = value_range
    _require_in_range(values if valid is None else values[:, valid], value_range, path)
    scaled = np.empty(values.shape, np.uint8)
    for band, target in zip(values, scaled, strict=True):
        numbers = band.astype(np.float32)
        if valid is not None:
            numbers[~valid] = low
        numbers -= low
        numbers *= 255.0 / (high - low)
        target[:] = np.rint(numbers, out=numbers)
    return scaled


def _require_in_range(values: NDArray[Any], value_range: tuple[float, float], path: Path) -> None:
    """Refuse values outside the range: clipping would hide a mistake."""
    if values.size == 0:
        return
    (low, high), least, most = value_range, float(values.min()), float(values.max())
    if not (least >= low and most <= high):
        raise DataError(
            f"{path}: holds values from {least:g} to {most:g}, outside source.value_range "
            f"[{low:g}, {high:g}]; widen it in the profile"
        )


def _merged(bands: Sequence[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """Turn bands of (rows, cols) into (rows, cols, bands).

    Reading the bands apart and merging them takes less time than having them transposed by GDAL,
    and much less than by numpy.
    """
    if len(bands) == 1:
        return np.expand_dims(bands[0], -1)
    merged: NDArray[np.uint8] = cv2.merge(bands)
    return merged


def _warped(path: Path, dataset: Any) -> Any:
    try:
        return rectified(dataset)
    except GDAL_ERRORS as error:
        raise DataError(
            f"{path}: cannot be warped by its ground control points or RPCs ({error}); "
            "map it with infer.warp: false"
        ) from error
