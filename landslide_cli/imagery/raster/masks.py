"""Mask files to class indices: class colours, class indices and 0/255 binary are told apart."""

from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, Self

import numpy as np

from landslide_cli.core.palette import IGNORE, Mask, Palette, UnknownColour
from landslide_cli.core.tiling.grid import Window
from landslide_cli.errors import DataError, listed
from landslide_cli.imagery.raster.images import RasterInfo, probe
from landslide_cli.imagery.raster.laying import (
    is_placed,
    is_same_grid,
    laid_on,
    lies_elsewhere,
    window_info,
    window_under,
)
from landslide_cli.imagery.raster.mask_values import MaskValues, read_mask_values

Encoding = Literal["colours", "indices", "binary", "none"]

# Grays below this are meant as indices, not as dark colours.
_MOST_INDICES = 32

# Pixels of a large mask that are looked at together.
_AT_ONCE = 2**22


@dataclass(frozen=True)
class MaskReading:
    """A mask, how its file wrote the classes, and how many pixels were given the nearest class.

    Without a file the encoding is "none".
    """

    mask: Mask
    encoding: Encoding
    changed: int = 0


@dataclass(frozen=True)
class MaskForm:
    """How a mask file writes the classes of a palette.

    `nodata_is_background` tells whether pixels of the file's value of no data are of the first.
    """

    encoding: Encoding
    palette: Palette
    nodata_is_background: bool = False


def read_mask(
    path: Path,
    palette: Palette,
    nearest: bool = False,
    image: Path | None = None,
    nodata_is_background: bool = False,
    window: Window | None = None,
) -> MaskReading:
    """Read a mask file.

    Colours and palettes hold class colours. A gray file holds class indices if all its values are
    such, 255 beside them meaning no label; 0 and 255 alone are background and foreground if there
    are two classes; otherwise its grays are class colours. A palette whose colours are no classes
    may hold class indices as well. Pixels that are transparent, that a mask in or beside the file
    hides, or that have the file's value of no data have no label; nor have those of a background
    that the palette ignores.

    A mask and an image that both have a place are laid on each other by it; otherwise each pixel of
    the mask is one of the image.

    Args:
        path: a gray, palette, RGB or RGBA image, 8 bits deep.
        palette: the classes.
        nearest: give colours that are no class to the nearest class, as JPEG masks need.
        image: what the mask is of. Default: the mask stays on its own pixels.
        nodata_is_background: whether pixels of the file's value of no data are of the first class.
        window: of the mask, to read no more of it, without an `image`. What its values mean must
            follow from it, as in maps of this program.

    Returns:
        (rows, cols) uint8 class indices, `IGNORE` where there is no label.

    Raises:
        DataError: the file cannot be read, a colour is no class, the value of no data is one, or
            the mask lies beside the image.
    """
    values = read_mask_values(path, window)
    seen = _Seen.of(values, palette)
    encoding = _encoding_of(seen, palette, nearest, path)
    form = MaskForm(encoding, palette, nodata_is_background)
    reading = _labels(values, form, path, seen.mask)
    if image is None or not is_placed(values.georeference):
        return reading
    return replace(reading, mask=laid_on(path, reading.mask, values.georeference, probe(image)))


def form_of(
    path: Path, palette: Palette, nearest: bool = False, nodata_is_background: bool = False
) -> MaskForm:
    """Tell how a mask file of any size writes the classes, reading it strip by strip.

    Args:
        path: as of `read_mask`.
        palette: the classes.
        nearest: likewise.
        nodata_is_background: likewise.

    Raises:
        DataError: as `read_mask`.
    """
    info, seen = probe(path), _Seen()
    rows = max(1, _AT_ONCE // info.width)
    for top in range(0, info.height, rows):
        strip = Window(0, top, info.width, min(rows, info.height - top))
        seen.add(_Seen.of(read_mask_values(path, strip), palette))
    return MaskForm(_encoding_of(seen, palette, nearest, path), palette, nodata_is_background)


def read_mask_window(path: Path, window: Window, form: MaskForm, image: RasterInfo) -> Mask:
    """Read what a mask file of any size says of a window of its image.

    Args:
        path: of the mask, which lies on the image.
        window: inside the image, in pixels.
        form: as `form_of` tells.
        image: the header of the image.

    Returns:
        (rows, cols) uint8 class indices, `IGNORE` where there is no label.

    Raises:
        DataError: as `read_mask`.
    """
    mask, piece = probe(path), window_info(image, window)
    are_placed = is_placed(mask.georeference) and is_placed(image.georeference)
    if not are_placed or is_same_grid(mask, image):
        return _labels(read_mask_values(path, window), form, path).mask
    under = window_under(mask, piece)
    if under is None or lies_elsewhere(path, window_info(mask, under), piece) is not None:
        return np.full((window.height, window.width), IGNORE, np.uint8)
    part = _labels(read_mask_values(path, under), form, path).mask
    return laid_on(path, part, window_info(mask, under).georeference, piece)


def _labels(
    values: MaskValues, form: MaskForm, path: Path, by_colour: Mask | None = None
) -> MaskReading:
    """Return the labels of a file, or of a piece of it; `by_colour` as of `_decoded`."""
    reading = _decoded(values, form, by_colour)
    if not form.nodata_is_background:
        _refuse_void_class(values, reading, form.palette, path)
    reading.mask[values.clear] = IGNORE
    if form.nodata_is_background:
        reading.mask[values.void] = 0
    if form.palette.ignores_background:
        reading.mask[reading.mask == 0] = IGNORE
    return reading


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


@dataclass
class _Seen:
    """What the labelled pixels of a mask file hold, as far as it was read.

    Its grays, if it is gray or a palette; and its colours that are no class, with their pixels.
    `mask` has the classes by colour of the piece that was read last, if they are not told by grays.
    """

    grays: set[int] | None = None
    painted: bool = False
    strays: Counter[tuple[int, int, int]] = field(default_factory=Counter)
    mask: Mask | None = None

    @classmethod
    def of(cls, values: MaskValues, palette: Palette) -> Self:
        gray, labelled = values.gray, ~values.clear
        if gray is None or values.table is None:
            mask, unknown = palette.indices_of(np.moveaxis(values.bands, 0, -1))
            if unknown and values.clear.any():
                unknown = palette.indices_of(values.colours_at(labelled))[1]
            return cls(None, False, Counter({it.colour: it.pixels for it in unknown}), mask)
        counts = np.bincount(gray[labelled], minlength=256)
        classes = palette.indices_of(values.table)[0]
        grays, strays = np.flatnonzero(counts).tolist(), Counter[tuple[int, int, int]]()
        for value in grays:
            if classes[value] == IGNORE:
                red, green, blue = values.table[value].tolist()
                strays[red, green, blue] += int(counts[value])
        return cls(set(grays), values.painted, strays)

    def add(self, other: "_Seen") -> None:
        """Take in what another piece of the file holds."""
        if other.grays is not None:
            self.grays = (self.grays or set()) | other.grays
        self.painted |= other.painted
        self.strays += other.strays


def _encoding_of(seen: _Seen, palette: Palette, nearest: bool, path: Path) -> Encoding:
    grays, is_plain = seen.grays, not seen.painted
    if grays is not None and is_plain and _are_indices(grays, palette):
        return "indices"
    if not seen.strays:
        return "colours"
    if grays is not None and not is_plain and _are_indices(grays, palette):
        return "indices"
    if grays is not None and is_plain and _are_binary(grays, palette, nearest):
        return "binary"
    if nearest:
        return "colours"
    values = sorted((grays or set()) - {IGNORE}) if is_plain else []
    if values and len(palette) <= values[-1] < _MOST_INDICES:
        beyond = [
            f"{value} on {seen.strays[value, value, value]} pixels"
            for value in values
            if value >= len(palette) and seen.strays[value, value, value]
        ]
        raise DataError(
            f"{path}: holds class indices that `classes` does not have: {listed(beyond, most=3)};\n"
            "add these classes, or give 255 to pixels without a label"
        )
    unknown = [str(UnknownColour(*entry)) for entry in seen.strays.most_common()]
    raise DataError(
        f"{path}: holds colours that are no class: {listed(unknown, most=3)};\n"
        "add them to `classes`, or set prepare.nearest_colour: true to take the nearest class"
    )


def _decoded(values: MaskValues, form: MaskForm, by_colour: Mask | None = None) -> MaskReading:
    """Turn the values of a file, or of a piece of it, into class indices.

    `by_colour` are the classes by colour, if they are known already.
    """
    gray, labelled, palette = values.gray, ~values.clear, form.palette
    if form.encoding == "indices" and gray is not None:
        return MaskReading(gray.copy(), "indices")
    if form.encoding == "binary" and gray is not None:
        between = (gray != 0) & (gray != 255) & labelled
        return MaskReading((gray > 127).astype(np.uint8), "binary", int(between.sum()))
    mask = _by_colour(values, palette) if by_colour is None else by_colour
    strays = (mask == IGNORE) & labelled
    if not strays.any():
        return MaskReading(mask, "colours")
    colours, inverse = np.unique(values.colours_at(strays), axis=0, return_inverse=True)
    classes = palette.nearest([tuple(colour) for colour in colours.tolist()])
    mask[strays] = classes[inverse.reshape(-1)]
    return MaskReading(mask, "colours", int(strays.sum()))


def _by_colour(values: MaskValues, palette: Palette) -> Mask:
    if values.gray is None or values.table is None:
        return palette.indices_of(np.moveaxis(values.bands, 0, -1))[0]
    classes: Mask = palette.indices_of(values.table)[0][values.gray]
    return classes


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
