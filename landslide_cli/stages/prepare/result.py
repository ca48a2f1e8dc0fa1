"""The outcome of `landslide prepare`: the number of tiles and the pixels of each class."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from landslide_cli.dataset.files import PREPARE_RECORD
from landslide_cli.dataset.tiles import MANIFEST
from landslide_cli.documents import restored
from landslide_cli.errors import counted
from landslide_cli.reporting import Result, Table


@dataclass(frozen=True)
class PrepareResult(Result):
    """The content of the folder of tiles.

    Where no tiles are cut, `tiles` is 0 and the manifest lists whole scenes. `class_pixels` counts
    the labelled pixels of the tiles without their augmented copies, or of the scenes;
    `padding_pixels` lie beyond the scenes' edges, `unlabelled_pixels` within and have no label.
    `scale` is the median of the factors by which the scenes were resized, `standardized` tells
    whether their brightness and contrast were standardized. `mask_encodings` counts the mask files
    by the way they encode the classes; `changed_pixels` were set to the nearest class. `blocks` of
    the scenes are blocks of larger ones; `blocks_without_label` more are left out. `bands` gives,
    where the profile composes them, the number of values of each band of each scene, their mean and
    their standard deviation.
    """

    folder: Path
    scenes: int
    tiles: int
    augmented: int
    dropped: int
    scale: float
    class_pixels: dict[str, int]
    padding_pixels: int
    mask_encodings: dict[str, int]
    changed_pixels: int
    unlabelled_pixels: int = 0
    standardized: bool = False
    blocks: int = 0
    blocks_without_label: int = 0
    bands: dict[str, list[tuple[int, float, float]]] = field(default_factory=dict)
    unchanged: bool = False

    def headline(self) -> str:
        if not self._is_cut:
            manifest, scenes = self.folder / MANIFEST, counted(self.scenes, "scene")
            if self.unchanged:
                return f"{scenes} in {manifest} unchanged; nothing to do"
            return f"{scenes} checked and listed in {manifest}; no tiles cut"
        copies = "copy" if self.augmented == 1 else "copies"
        tiles = f"{counted(self.tiles, 'tile')} and {self.augmented} augmented {copies}"
        if self.unchanged:
            return f"{tiles} in {self.folder} unchanged; nothing to do"
        if self.tiles == 0:
            return f"no tiles written: all {self.dropped} are empty"
        return f"{tiles} written to {self.folder}"

    def tables(self) -> Sequence[Table]:
        """Return the classes' shares, and the counts."""
        total = max(1, sum(self.class_pixels.values()))
        shares = [
            (name, f"{pixels:,}", f"{pixels / total:.1%}")
            for name, pixels in self.class_pixels.items()
        ]
        encodings = ", ".join(f"{kind} {count}" for kind, count in self.mask_encodings.items())
        counts = [
            ("scenes", f"{self.scenes}"),
            *(self._counts_of_blocks() if self.blocks + self.blocks_without_label else []),
            *(self._counts_of_tiles() if self._is_cut else []),
            ("mask encodings", encodings),
            ("pixels without a label", f"{self.unlabelled_pixels:,}"),
            ("pixels set to the nearest class", f"{self.changed_pixels:,}"),
        ]
        units = "tiles" if self._is_cut else "scenes"
        return [
            Table(f"{units} by class", ["class", "pixels", "share"], shares),
            Table("", ["", "count"], counts),
        ]

    @classmethod
    def of(cls, document: Mapping[str, Any], folder: Path) -> "PrepareResult":
        """Restore what `document` returned for an earlier run, now `unchanged`.

        Raises:
            DataError: the record is damaged.
        """
        values = {**document, "folder": str(folder), "unchanged": True}
        return restored(cls, values, folder / PREPARE_RECORD)

    @property
    def _is_cut(self) -> bool:
        return self.tiles + self.dropped > 0

    def _counts_of_blocks(self) -> list[tuple[str, str]]:
        return [
            ("of these blocks of larger ones", f"{self.blocks}"),
            ("blocks left out, without any label", f"{self.blocks_without_label}"),
        ]

    def _counts_of_tiles(self) -> list[tuple[str, str]]:
        return [
            ("tiles dropped as empty", f"{self.dropped}"),
            ("padding pixels", f"{self.padding_pixels:,}"),
        ]
