"""Where the ground of a mask ends: at pixels without data, which cut objects as its edge does."""

from dataclasses import replace

import numpy as np
import shapely
from numpy.typing import NDArray

from landslide_cli.core.palette import IGNORE, Mask, is_foreground
from landslide_cli.imagery.vector.outlines import Outline


class DataEdges:
    """Collects the foreground pixels beside pixels without data, of a mask that comes in pieces.

    Pieces come as `Outliner` takes them. Memory grows with the length of these edges.
    """

    def __init__(self) -> None:
        self._found = [np.zeros((0, 2), np.int64)]
        self._above: Mask | None = None
        self._left, self._right = np.zeros(0, np.uint8), [np.zeros(0, np.uint8)]

    def add(self, row_off: int, col_off: int, mask: Mask) -> None:
        """Take in the next piece, (rows, cols) class indices, `IGNORE` where there is no data."""
        if row_off == 0:
            self._left, self._right = np.concatenate(self._right), [np.zeros(0, np.uint8)]
            self._above = None
        rows, cols = mask.shape
        sheet = np.zeros((rows + 1, cols + 1), np.uint8)
        sheet[1:, 1:] = mask
        if self._above is not None:
            sheet[0, 1:] = self._above
        if len(self._left):
            sheet[1:, 0] = self._left[row_off : row_off + rows]
        self._above = mask[-1].copy()
        self._right.append(mask[:, -1].copy())
        missing = sheet == IGNORE
        if missing.any():
            edge = _beside(is_foreground(sheet), missing)
            self._found.append(np.argwhere(edge) + np.array([row_off - 1, col_off - 1]))

    def marked(self, outlines: list[Outline], height: int, width: int) -> list[Outline]:
        """Return the outlines with what `cut` tells of them."""
        cut = self.cut(outlines, height, width).tolist()
        return [
            replace(outline, is_cut=is_cut) for outline, is_cut in zip(outlines, cut, strict=True)
        ]

    def cut(self, outlines: list[Outline], height: int, width: int) -> NDArray[np.bool_]:
        """Tell which outlines reach the edge of the mask or pixels without data.

        Args:
            outlines: of the mask.
            height: of the mask, in pixels.
            width: likewise.
        """
        polygons = np.array([outline.polygon for outline in outlines], object)
        left, top, right, bottom = shapely.bounds(polygons).reshape(-1, 4).T
        result = (left <= 0) | (top <= 0) | (right >= width) | (bottom >= height)
        places = np.unique(np.concatenate(self._found), axis=0)
        if len(places) and len(polygons):
            centres = shapely.points(places[:, ::-1] + 0.5)
            result[shapely.STRtree(polygons).query(centres, predicate="within")[1]] = True
        return np.asarray(result, np.bool_)


def _beside(foreground: NDArray[np.bool_], missing: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Tell the foreground pixels that share a side with one without data."""
    edge = np.zeros_like(foreground)
    edge[:-1] |= foreground[:-1] & missing[1:]
    edge[1:] |= foreground[1:] & missing[:-1]
    edge[:, :-1] |= foreground[:, :-1] & missing[:, 1:]
    edge[:, 1:] |= foreground[:, 1:] & missing[:, :-1]
    return edge
