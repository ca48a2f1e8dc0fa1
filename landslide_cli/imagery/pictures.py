"""Pictures for people: overlays of masks on scenes, and sheets of pictures with captions."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import cv2
import numpy as np
import PIL.Image
from numpy.typing import NDArray

from landslide_cli.core.arrays import Image
from landslide_cli.core.composition import Composition
from landslide_cli.core.palette import IGNORE, Colours, Mask, Palette, is_foreground
from landslide_cli.core.tiling.grid import ceil_div

Picture = NDArray[np.uint8]
Item = TypeVar("Item")
LegendEntry = tuple[str, tuple[int, int, int]]

# Of the colours that Okabe and Ito chose for all kinds of sight, those that are seen on brown and
# green ground: yellow, sky blue and vermilion.
HIT, MISS, FALSE_ALARM = (240, 228, 66), (86, 180, 233), (213, 94, 0)
LEGEND = [("hit", HIT), ("miss", MISS), ("false alarm", FALSE_ALARM)]
OPACITY = 0.45
OUTLINE = (255, 220, 0)
HATCHING = (160, 160, 160)
_INK, _PAPER = (40, 40, 40), 255
_GAP, _LINE = 6, 22  # pixels


def shown(image: Image, named: Composition | None) -> Picture:
    """Show (rows, cols, bands) as (rows, cols, 3 or 1) uint8, for the eye; 8 bits stay as they are.

    Args:
        image: as the model sees it.
        named: what its bands are called; None for those of 8 bits that have no names.
    """
    if named is None:
        return np.asarray(image, np.uint8)
    return stretched(image[..., named.pictured])


def stretched(image: NDArray[Any]) -> Picture:
    """Stretch each band, (rows, cols, bands), from its 2nd to its 98th percentile; 8 bits stay.

    Pixels that are 0 in all bands hold no data: they stay black, and do not count.
    """
    if image.dtype == np.uint8:
        return np.asarray(image, np.uint8)
    known = (image != 0).any(axis=-1) & np.isfinite(image).all(axis=-1)
    if not known.any():
        return np.zeros(image.shape, np.uint8)
    low, high = np.percentile(image[known], (2, 98), axis=0)
    scaled = (np.where(known[..., None], image, low) - low) * (255.0 / np.maximum(high - low, 1e-6))
    picture = np.asarray(np.rint(np.clip(scaled, 0.0, 255.0)), np.uint8)
    picture[~known] = 0
    return picture


def as_rgb(image: NDArray[np.uint8]) -> Picture:
    """Show (rows, cols, bands) as red, green and blue: the first three bands, or gray."""
    if image.shape[-1] >= 3:
        return image[..., :3]
    return np.repeat(image[..., :1], 3, axis=-1)


class Reduced:
    """A picture of a scene of any size, put together of pieces: every so many pixels of it.

    Args:
        height: of the scene, in pixels.
        width: likewise.
        longest: the longer side of the picture at the most, in pixels.
        bands: positions of the bands to show. Default: all.
    """

    def __init__(
        self, height: int, width: int, longest: int, bands: tuple[int, ...] | None = None
    ) -> None:
        self._bands = bands
        self.step = ceil_div(max(height, width), longest)
        self._shape = ceil_div(height, self.step), ceil_div(width, self.step)
        self._values: NDArray[Any] | None = None

    def put(self, row_off: int, col_off: int, values: NDArray[Any]) -> None:
        """Take what the picture needs of a piece; its upper left pixel in the scene is given."""
        self.place(*reduced(row_off, col_off, values, self.step))

    def place(self, row: int, col: int, values: NDArray[Any]) -> None:
        """Put a piece that is `reduced` already into its place."""
        values = values if self._bands is None else values[..., self._bands]
        if self._values is None:
            self._values = np.zeros((*self._shape, *values.shape[2:]), values.dtype)
        self._values[row : row + values.shape[0], col : col + values.shape[1]] = values

    @property
    def values(self) -> NDArray[np.uint8]:
        """The picture, (rows, cols) or (rows, cols, bands); 0 where nothing was put."""
        if self._values is None:
            return np.zeros(self._shape, np.uint8)
        return stretched(self._values)


def reduced(
    row_off: int, col_off: int, values: NDArray[Any], step: int
) -> tuple[int, int, NDArray[Any]]:
    """Take every `step`-th pixel of a scene out of a piece of it.

    Returns:
        Row and column in the reduced picture, and the pixels, a view.
    """
    row, col = ceil_div(row_off, step), ceil_div(col_off, step)
    return row, col, values[row * step - row_off :: step, col * step - col_off :: step]


def overlay(image: NDArray[np.uint8], mask: Mask, palette: Palette) -> Picture:
    """Lay the foreground classes' colours over an image, with their outlines.

    Args:
        image: (rows, cols, bands) uint8.
        mask: (rows, cols) class indices.
        palette: the classes.

    Returns:
        (rows, cols, 3) uint8.
    """
    foreground = is_foreground(palette.only_foreground(mask))
    return _tinted(as_rgb(image), foreground, palette.colourise(mask))


def outlined(image: NDArray[np.uint8], corners: NDArray[np.float64]) -> Picture:
    """Draw a closed outline over an image.

    Args:
        image: (rows, cols, bands) uint8.
        corners: x and y of each corner in pixels, (corners, 2); they may lie outside.

    Returns:
        (rows, cols, 3) uint8.
    """
    picture = as_rgb(image).copy()
    thickness = 1 + max(picture.shape) // 200
    points = np.rint(corners).astype(np.int32).reshape(-1, 1, 2)
    cv2.polylines(picture, [points], True, OUTLINE, thickness, cv2.LINE_AA)
    return picture


def hatched(image: NDArray[np.uint8], where: NDArray[np.bool_]) -> Picture:
    """Turn a part of an image to dark gray with light stripes.

    Args:
        image: (rows, cols, bands) uint8.
        where: that part, (rows, cols).

    Returns:
        (rows, cols, 3) uint8.
    """
    picture = as_rgb(image).copy()
    picture[where] = picture[where].mean(axis=-1, keepdims=True) / 2
    period = max(8, max(where.shape) // 32)
    diagonals = np.add.outer(*(np.arange(side) for side in where.shape))
    picture[where & (diagonals % period < period // 4)] = HATCHING
    return picture


def comparison(image: NDArray[np.uint8], truth: Mask, prediction: Mask) -> Picture:
    """Lay hits, misses and false alarms of the foreground over an image, each in its colour.

    A pixel whose true and predicted classes are two different foreground classes is a miss.
    """
    labelled = truth != IGNORE
    true, predicted = is_foreground(truth), (prediction != 0) & labelled
    colours = np.zeros((*truth.shape, 3), np.uint8)
    colours[true & (prediction == truth)] = HIT
    colours[true & (prediction != truth)] = MISS
    colours[predicted & ~true] = FALSE_ALARM
    return _tinted(as_rgb(image), true | predicted, colours)


def _tinted(rgb: Picture, where: NDArray[np.bool_], colours: Colours) -> Picture:
    tint, inside = np.ascontiguousarray(colours), where.astype(np.uint8)
    picture = np.ascontiguousarray(rgb).copy()
    cv2.copyTo(cv2.addWeighted(picture, 1 - OPACITY, tint, OPACITY, 0.0), inside, picture)
    # The outline is drawn full, a pixel wide for each 512 pixels of the picture's side.
    reach = 2 * max(1, min(where.shape) // 512) + 1
    inner = cv2.erode(inside, np.ones((reach, reach), np.uint8))
    cv2.copyTo(tint, inside & ~inner, picture)
    return picture


def fitted(picture: Picture, cell: int) -> Picture:
    """Shrink or enlarge a picture to fit a square of `cell` pixels, keeping its proportions."""
    rows, cols = picture.shape[:2]
    factor = cell / max(rows, cols)
    size = max(1, round(cols * factor)), max(1, round(rows * factor))
    interpolation = cv2.INTER_AREA if factor < 1 else cv2.INTER_NEAREST
    return np.asarray(cv2.resize(picture, size, interpolation=interpolation), np.uint8)


def spread(items: Sequence[Item], count: int) -> list[Item]:
    """Choose items at even steps from the first to the last, to be the rows of a sheet."""
    if len(items) <= count:
        return list(items)
    return [items[round(index)] for index in np.linspace(0, len(items) - 1, count)]


def sheet(
    columns: Sequence[str],
    rows: Sequence[tuple[str, Sequence[Picture]]],
    cell: int,
    legend: Sequence[LegendEntry] = (),
) -> Picture:
    """Lay pictures out in rows, with a caption above each row and names above the columns.

    Args:
        columns: what the pictures of a column show.
        rows: a caption and its pictures, (rows, cols, 3) uint8 of any size.
        cell: side of a picture in the sheet, in pixels.
        legend: names and colours explained on the last line, or as many as they need.

    Returns:
        (rows, cols, 3) uint8.
    """
    step = cell + _GAP
    width = len(columns) * step + _GAP
    lines = _lines(legend, width)
    height = _LINE + len(rows) * (step + _LINE) + _LINE * len(lines)
    page = np.full((height, width, 3), _PAPER, np.uint8)
    for col, name in enumerate(columns):
        _write(page, name, _GAP + col * step, _LINE - 7)
    for row, (caption, pictures) in enumerate(rows):
        top = _LINE + row * (step + _LINE)
        _write(page, caption, _GAP, top + _LINE - 7)
        for col, picture in enumerate(pictures):
            small = fitted(picture, cell)
            left = _GAP + col * step
            page[top + _LINE : top + _LINE + small.shape[0], left : left + small.shape[1]] = small
    for number, line in enumerate(reversed(lines)):
        left, foot = _GAP, height - number * _LINE
        for name, colour in line:
            cv2.rectangle(page, (left, foot - 17), (left + 12, foot - 5), colour, cv2.FILLED)
            _write(page, name, left + 18, foot - 7)
            left += _entry_width(name)
    return page


def _lines(legend: Sequence[LegendEntry], width: int) -> list[list[LegendEntry]]:
    """Divide a legend into lines that fit a page."""
    lines: list[list[LegendEntry]] = []
    left = width
    for entry in legend:
        if left + _entry_width(entry[0]) > width:
            lines.append([])
            left = _GAP
        lines[-1].append(entry)
        left += _entry_width(entry[0])
    return lines


def _entry_width(name: str) -> int:
    return 30 + _text_width(name)


def strip(name: str, pictures: Sequence[Picture], captions: Sequence[str], cell: int) -> Picture:
    """Lay comparisons of a scene side by side, each under its caption: a film strip."""
    return sheet(captions, [(name, pictures)], cell, LEGEND)


def captioned(picture: Picture, caption: str) -> Picture:
    """Put a line of text above a picture."""
    page = np.full((picture.shape[0] + _LINE, *picture.shape[1:]), _PAPER, np.uint8)
    page[_LINE:] = picture
    _write(page, caption, _GAP, _LINE - 7)
    return page


def write_film(path: Path, frames: Iterable[Picture], seconds: float) -> None:
    """Write pictures of one size as an animated GIF that repeats; the last one stays longer.

    Args:
        path: the GIF to write.
        frames: (rows, cols, 3) uint8, at least one.
        seconds: that each is shown.

    Raises:
        OSError: the file cannot be written.
    """
    first, *rest = [PIL.Image.fromarray(frame) for frame in frames]
    milliseconds = round(1000 * seconds)
    durations = [milliseconds] * len(rest) + [4 * milliseconds]
    first.save(path, save_all=True, append_images=rest, duration=durations, loop=0, disposal=2)


def _write(page: Picture, text: str, x: int, y: int) -> None:
    cv2.putText(page, text, (x, y), cv2.FONT_HERSHEY_SIMPLEX, 0.45, _INK, 1, cv2.LINE_AA)


def _text_width(text: str) -> int:
    return int(cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, 0.45, 1)[0][0])
