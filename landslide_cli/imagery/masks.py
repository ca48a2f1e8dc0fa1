"""Mask files to class indices: class colours, class indices and 0/255 binary are told apart."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from landslide_cli.core.palette import IGNORE, Colours, Mask, Palette
from landslide_cli.errors import DataError, listed
from landslide_cli.imagery.raster import MaskValues, read_mask_values

Encoding = Literal["colours", "indices", "binary"]


@dataclass(frozen=True)
class MaskReading:
    """A mask, how its file wrote the classes, and how many pixels the nearest class was given."""

    mask: Mask
    encoding: Encoding
    changed: int = 0


def read_mask(path: Path, palette: Palette, nearest: bool = False) -> MaskReading:
    """Read a mask file.

    Colours and palettes hold class colours. A gray file holds class indices if all its values are
    such; 0 and 255 for background and foreground if there are two classes; otherwise grays that are
    class colours. A palette whose colours are no classes may hold class indices as well.
    Transparent pixels have no label.

    Args:
        path: a gray, palette, RGB or RGBA image, 8 bits deep.
        palette: the classes.
        nearest: give colours that are no class to the nearest class, as JPEG masks need.

    Returns:
        (rows, cols) uint8 class indices, `IGNORE` where there is no label.

    Raises:
        DataError: the file cannot be read, or a colour is no class.
    """
    values = read_mask_values(path)
    reading = _recognised(values, palette, nearest, path)
    reading.mask[values.clear] = IGNORE
    return reading


def _recognised(values: MaskValues, palette: Palette, nearest: bool, path: Path) -> MaskReading:
    gray, colours, labelled = values.gray, values.colours, ~values.clear
    if colours is not None:
        mask, _ = palette.indices_of(colours)
        if not (mask[labelled] == IGNORE).any():
            return MaskReading(mask, "colours")
    if gray is not None:
        present = set(np.unique(gray[labelled]).tolist())
        if max(present, default=0) < len(palette):
            return MaskReading(gray.copy(), "indices")
        if colours is None and len(palette) == 2 and (nearest or present <= {0, 255}):
            strays = (gray != 0) & (gray != 255) & labelled
            return MaskReading((gray > 127).astype(np.uint8), "binary", int(strays.sum()))
    if colours is None:
        colours = np.repeat(gray[..., None], 3, axis=-1)  # type: ignore[index]
    return _from_colours(colours, labelled, palette, nearest, path)


def _from_colours(
    colours: Colours, labelled: NDArray[np.bool_], palette: Palette, nearest: bool, path: Path
) -> MaskReading:
    mask, _ = palette.indices_of(colours)
    strays = (mask == IGNORE) & labelled
    if not strays.any():
        return MaskReading(mask, "colours")
    if not nearest:
        unknown = [str(one) for one in palette.indices_of(colours[labelled])[1]]
        raise DataError(
            f"{path}: holds colours that are no class: {listed(unknown, most=3)};\n"
            "add them to `classes`, or set prepare.nearest_colour: true to take the nearest class"
        )
    stray_colours, inverse = np.unique(colours[strays], axis=0, return_inverse=True)
    classes = palette.nearest([tuple(colour) for colour in stray_colours.tolist()])
    mask[strays] = classes[inverse.reshape(-1)]
    return MaskReading(mask, "colours", int(strays.sum()))
