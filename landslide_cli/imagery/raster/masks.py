"""Mask files to class indices: class colours, class indices and 0/255 binary are told apart."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from landslide_cli.core.palette import IGNORE, Mask, Palette
from landslide_cli.errors import DataError, listed
from landslide_cli.imagery.raster.images import MaskValues, probe, read_mask_values
from landslide_cli.imagery.raster.laying import is_placed, laid_on

Encoding = Literal["colours", "indices", "binary", "none"]


@dataclass(frozen=True)
class MaskReading:
    """A mask, how its file wrote the classes, and how many pixels were given the nearest class.

    Without a file the encoding is "none".
    """

    mask: Mask
    encoding: Encoding
    changed: int = 0


def read_mask(
    path: Path,
    palette: Palette,
    nearest: bool = False,
    image: Path | None = None,
    nodata_is_background: bool = False,
) -> MaskReading:
    """Read a mask file.

    Colours and palettes hold class colours. A gray file holds class indices if all its values are
    such, 255 beside them meaning no label; 0 and 255 alone are background and foreground if there
    are two classes; otherwise its grays are class colours. A palette whose colours are no classes
    may hold class indices as well. Pixels that are transparent, that a mask in or beside the file
    hides, or that have the file's value of no data have no label.

    A mask and an image that both have a place are laid on each other by it; otherwise each pixel of
    the mask is one of the image.

    Args:
        path: a gray, palette, RGB or RGBA image, 8 bits deep.
        palette: the classes.
        nearest: give colours that are no class to the nearest class, as JPEG masks need.
        image: what the mask is of. Default: the mask stays on its own pixels.
        nodata_is_background: whether pixels of the file's value of no data are of the first class.

    Returns:
        (rows, cols) uint8 class indices, `IGNORE` where there is no label.

    Raises:
        DataError: the file cannot be read, a colour is no class, the value of no data is one, or
            the mask lies beside the image.
    """
    values = read_mask_values(path)
    reading = _recognised(values, palette, nearest, path)
    if not nodata_is_background:
        _refuse_void_class(values, reading, palette, path)
    reading.mask[values.clear] = IGNORE
    if nodata_is_background:
        reading.mask[values.void] = 0
    if image is None or not is_placed(values.georeference):
        return reading
    return replace(reading, mask=laid_on(path, reading.mask, values.georeference, probe(image)))


def _refuse_void_class(
    values: MaskValues, reading: MaskReading, palette: Palette, path: Path
) -> None:
    """Refuse a file whose value of no data is that of a class: none of the class would be left."""
    if not values.void_class.any():
        return
    index, gray = int(reading.mask[values.void_class][0]), values.gray
    if index >= len(palette) or (reading.encoding == "binary" and index == 1):
        return  # 255 for no label is common
    if values.painted and gray is not None and gray[values.void_class][0] >= len(palette):
        return  # unused entries of a palette are black
    remedy = "remove the declaration: "
    if index == 0:
        remedy = "set source.mask_nodata: background in the profile, or " + remedy
    raise DataError(
        f"{path}: declares the value of the class {palette.names[index]} as no data, so that "
        f"nothing would be labelled so;\n{remedy}gdal_edit.py -unsetnodata {path}"
    )


def _recognised(values: MaskValues, palette: Palette, nearest: bool, path: Path) -> MaskReading:
    gray, labelled = values.gray, ~values.clear
    present = set(np.unique(gray[labelled]).tolist()) if gray is not None else set()
    # A plain gray file is taken by its values first, a palette by its colours.
    if gray is not None and not values.painted and _are_indices(present, palette):
        return MaskReading(gray.copy(), "indices")
    mask, _ = palette.indices_of(values.colours)
    strays = (mask == IGNORE) & labelled
    if not strays.any():
        return MaskReading(mask, "colours")
    if gray is not None and values.painted and _are_indices(present, palette):
        return MaskReading(gray.copy(), "indices")
    if gray is not None and not values.painted and _are_binary(present, palette, nearest):
        between = (gray != 0) & (gray != 255) & labelled
        return MaskReading((gray > 127).astype(np.uint8), "binary", int(between.sum()))
    if nearest:
        colours, inverse = np.unique(values.colours[strays], axis=0, return_inverse=True)
        classes = palette.nearest([tuple(colour) for colour in colours.tolist()])
        mask[strays] = classes[inverse.reshape(-1)]
        return MaskReading(mask, "colours", int(strays.sum()))
    unknown = [str(colour) for colour in palette.indices_of(values.colours[labelled])[1]]
    raise DataError(
        f"{path}: holds colours that are no class: {listed(unknown, most=3)};\n"
        "add them to `classes`, or set prepare.nearest_colour: true to take the nearest class"
    )


def _are_indices(present: set[int], palette: Palette) -> bool:
    """Tell class indices from other grays; 255 beside them is `IGNORE`, as many tools write it."""
    if IGNORE in present and (present <= {0, IGNORE} or (255, 255, 255) in palette.colours):
        return False
    return all(value < len(palette) or value == IGNORE for value in present)


def _are_binary(present: set[int], palette: Palette, nearest: bool) -> bool:
    """Tell 0 and 255, or with `nearest` whatever is near to them, from grays that are colours."""
    if len(palette) != 2:
        return False
    gray_classes = all(len(set(colour)) == 1 for colour in palette.colours)
    return present <= {0, 255} or (nearest and not gray_classes)
