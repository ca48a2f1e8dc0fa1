"""Layers beside a scene, opened on the scene's own grid."""

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from affine import Affine
from rasterio.crs import CRS
from rasterio.enums import ColorInterp, Resampling
from rasterio.vrt import WarpedVRT

from landslide_cli.core.tiling.grid import ceil_div
from landslide_cli.errors import DataError
from landslide_cli.imagery.raster.bands import require_numbers
from landslide_cli.imagery.raster.georeference import Georeference, georeference_of
from landslide_cli.imagery.raster.nodata import needs_alpha
from landslide_cli.imagery.raster.opening import explained, open_to_decode, require_bands
from landslide_cli.imagery.raster.recognition import require_file

# The pixels along the longer side of a scene at which it is looked up what a layer covers.
_LOOKED_AT = 512


def _covered(
    dataset: Any, place: Georeference, scene: Any, how: dict[str, Any], numbers: Sequence[int]
) -> float:
    """Return the share of a scene on which bands of a layer have data, seen at some pixels."""
    step = ceil_div(max(scene.height, scene.width), _LOOKED_AT)
    width, height = ceil_div(scene.width, step), ceil_div(scene.height, step)
    transform = place.transform @ Affine.scale(scene.width / width, scene.height / height)
    with WarpedVRT(dataset, transform=transform, width=width, height=height, **how) as reduced:
        alpha = reduced.colorinterp[-1] == ColorInterp.alpha
        known = np.isfinite(reduced.read(list(numbers))).all(axis=0)
        if alpha:
            return float((known & (reduced.read(reduced.count) > 0)).mean())
        return float((known & reduced.read_masks(list(numbers)).all(axis=0)).mean())


def aligned_layer(
    scene_path: Path,
    scene: Any,
    place: Georeference,
    layer: str,
    path: Path,
    numbers: Sequence[int],
    margin: int,
    datasets: ExitStack,
) -> tuple[Any, float]:
    """Open a layer on the grid of the scene: by the georeference of both, or pixel for pixel.

    By the georeference it shows `margin` pixels more than the scene on each side.

    Returns:
        The layer, and the share of the scene on which its bands of these numbers have data.

    Raises:
        DataError: it cannot be read, lacks one of the bands, has no place on the scene, or is of
            another size without one.
    """
    require_file(path)
    with explained(path):
        # Not in a context of GDAL's that would have to be left before the scene's.
        dataset = datasets.enter_context(open_to_decode(path))
        require_bands(path, dataset)
    require_numbers(path, dataset, numbers)
    own = georeference_of(dataset)
    if not (place.is_known and own.is_known):
        if dataset.shape == scene.shape:
            return dataset, 1.0
        lacking = path if place.is_known else scene_path
        raise DataError(
            f"{path}: is {dataset.width} x {dataset.height} pixels where {scene_path} is "
            f"{scene.width} x {scene.height}, and {lacking.name} has no georeference to lay the "
            f"layer {layer} by"
        )
    if place.is_local != own.is_local:
        raise DataError(f"{path}: is in another CRS than {scene_path}, and one is local")
    how = {
        "crs": CRS.from_wkt(str(place.crs)),
        "add_alpha": needs_alpha(dataset),
        "dtype": "float32",
        # A value of no data in one band alone is not to be interpolated either.
        "UNIFIED_SRC_NODATA": "NO",
    }
    with explained(path):
        covered = _covered(dataset, place, scene, how, numbers)
        if not covered:
            raise DataError(
                f"{path}: does not overlap {scene_path}, or has no data there (layer {layer}): it "
                f"covers {_extent(dataset, own)}, the scene {_extent(scene, place)}"
            )
        aligned = WarpedVRT(
            dataset,
            transform=place.transform @ Affine.translation(-margin, -margin),
            width=scene.width + 2 * margin,
            height=scene.height + 2 * margin,
            resampling=Resampling.cubic,
            **how,
        )
    return datasets.enter_context(aligned), covered


def _extent(dataset: Any, place: Georeference) -> str:
    left, bottom, right, top = dataset.bounds
    name = CRS.from_wkt(str(place.crs)).to_authority()
    crs = f" of {':'.join(name)}" if name else ""
    return f"x {left:.10g} to {right:.10g}, y {bottom:.10g} to {top:.10g}{crs}"
