"""What a comparison of two inventories returns, and how it is shown."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from landslide_cli.core.parts import Part
from landslide_cli.core.scores.confusion import Counts
from landslide_cli.core.scores.objects import OBJECT_COLUMNS
from landslide_cli.errors import counted
from landslide_cli.reporting import Result, Table

# Scenes that are shown in a table; the files have all.
SHOWN = 40

Areas = dict[str, float | None]
Objects = dict[str, dict[str, int]]


@dataclass(frozen=True)
class SceneOverlap:
    """The counts of a scene.

    `polygons` of the other inventory lie on it. `pixels` is the confusion matrix (2, 2) of
    background and landslides, the profile's labels by rows; `objects` (sizes, 6) as in
    `core.scores.objects`, the labels as truth. `pixel_area` is in square metres.
    """

    scene: str
    polygons: int
    pixel_area: float
    pixels: Counts
    objects: Counts


@dataclass(frozen=True)
class InventoryResult(Result):
    """Two inventories compared: the profile's labels and another one.

    `polygons` is how many the other has, `outside` how many of them lie on no scene; `bounds`
    separate the size classes, in square metres; `part` is None for all scenes of the source;
    `plural` is what the foreground is called.
    """

    inventory: str
    part: Part | None
    polygons: int
    outside: int
    bounds: list[float]
    overlaps: list[SceneOverlap]
    files: list[Path]
    plural: str = "landslides"

    def headline(self) -> str:
        """Say how well the two agree, and where the numbers lie."""
        pooled, scenes = areas_of(self.overlaps), counted(len(self.overlaps), "scene")
        found = f"no {self.plural} in either inventory on {scenes}"
        if pooled["mapping_error"] is not None:
            found = (
                f"matching M {pooled['matching']:.4f}, mapping error E "
                f"{pooled['mapping_error']:.4f} over {scenes}"
            )
        return f"{found}: {self.files[0]}"

    def tables(self) -> Sequence[Table]:
        """Show the areas by scene, and the objects by size."""
        return [self._area_table(), self._object_table()]

    def document(self) -> dict[str, Any]:
        """Return the pooled numbers, and those of each scene."""
        return {
            "inventory": self.inventory,
            "part": self.part,
            "polygons": self.polygons,
            "polygons_on_no_scene": self.outside,
            "unit": "square metres",
            "pooled": self._numbers(self.overlaps),
            "scenes": [
                {"scene": overlap.scene, "polygons": overlap.polygons, **self._numbers([overlap])}
                for overlap in self.overlaps
            ],
            "files": [str(path) for path in self.files],
        }

    def lines(self) -> tuple[list[str], list[list[object]]]:
        """Return the head and the lines of the CSV file, one per scene; empty where undefined."""
        lines = []
        for overlap in self.overlaps:
            objects = objects_of(overlap.objects.sum(axis=0))
            line: dict[str, object] = {"scene": overlap.scene, "polygons": overlap.polygons}
            line |= {
                key: "" if value is None else f"{value:.6g}"
                for key, value in areas_of([overlap]).items()
            }
            line |= {
                f"{inventory}_{key}": count
                for inventory, counts in objects.items()
                for key, count in counts.items()
            }
            lines.append(line)
        return list(lines[0]), [list(line.values()) for line in lines]

    def _numbers(self, overlaps: Sequence[SceneOverlap]) -> dict[str, Any]:
        counts = np.sum([overlap.objects for overlap in overlaps], axis=0)
        sizes = [
            {"from": low, "below": high, **objects_of(line)}
            for (low, high), line in zip(self._ranges, counts, strict=True)
        ]
        objects = {**objects_of(counts.sum(axis=0)), "sizes": sizes}
        return {**areas_of(overlaps), "objects": objects}

    @property
    def _ranges(self) -> list[tuple[float, float | None]]:
        return list(zip([0.0, *self.bounds], [*self.bounds, None], strict=True))

    def _area_table(self) -> Table:
        scenes = self.overlaps
        title = f"labels against {self.inventory}, areas in m²"
        if self.part is not None:
            title = f"{self.part}: {title}"
        if len(scenes) > SHOWN:
            scenes = sorted(scenes, key=lambda overlap: -_disagreement(overlap))[:SHOWN]
            title += f"; the {SHOWN} scenes that differ by the largest areas"
        columns = [
            *("scene", "labels", "inventory", "both", "M = IoU", "error E"),
            *("matched", "missed", "extra"),
        ]
        rows = [(overlap.scene, *_area_cells([overlap])) for overlap in scenes]
        together = f"all, {counted(len(self.overlaps), 'scene')}"
        rows.append((together, *_area_cells(self.overlaps)))
        return Table(title, columns, rows, least=["both", "extra", "missed", "matched"])

    def _object_table(self) -> Table:
        counts = np.sum([overlap.objects for overlap in self.overlaps], axis=0)
        rows = [
            (_size(low, high), *_object_cells(line))
            for (low, high), line in zip(self._ranges, counts, strict=True)
        ]
        columns = [
            *(self.plural, "labels", "matched", "overlapping", "missed"),
            *("inventory", "matched", "overlapping", "extra"),
        ]
        title = "objects by their own size; matched: IoU of at least 0.5"
        return Table(title, columns, [*rows, ("all", *_object_cells(counts.sum(axis=0)))])


def areas_of(overlaps: Sequence[SceneOverlap]) -> Areas:
    """Measure the overlap of two inventories A and B over one or several scenes.

    matching M = IoU = (A and B) / (A or B), mapping error E = 1 - M. None without any landslide.

    Returns:
        "labels", "inventory", "both" and "either" in square metres; "iou", "matching" and
        "mapping_error" in [0, 1].
    """
    squares = np.sum([overlap.pixels * overlap.pixel_area for overlap in overlaps], axis=0)
    (_, extra), (missed, both) = squares.tolist()
    either = both + missed + extra
    iou = both / either if either > 0.0 else None
    return {
        "labels": both + missed,
        "inventory": both + extra,
        "both": both,
        "either": either,
        "iou": iou,
        "matching": iou,
        "mapping_error": None if iou is None else 1.0 - iou,
    }


def objects_of(counts: Counts) -> Objects:
    """Name the counts of objects, (6,), in both inventories.

    Those that have no match are "overlapping" if they touch any of the other inventory, and else
    "missed" or "extra".
    """
    of = dict(zip(OBJECT_COLUMNS, counts.tolist(), strict=True))
    return {
        "labels": {
            "objects": of["true"],
            "matched": of["found"],
            "overlapping": of["touched"] - of["found"],
            "missed": of["true"] - of["touched"],
        },
        "inventory": {
            "objects": of["predicted"],
            "matched": of["matching"],
            "overlapping": of["predicted"] - of["matching"] - of["false"],
            "extra": of["false"],
        },
    }


def _disagreement(overlap: SceneOverlap) -> float:
    return float((overlap.pixels[0, 1] + overlap.pixels[1, 0]) * overlap.pixel_area)


def _area_cells(overlaps: Sequence[SceneOverlap]) -> list[str]:
    areas = areas_of(overlaps)
    objects = objects_of(np.sum([overlap.objects for overlap in overlaps], axis=(0, 1)))
    shares = [areas[key] for key in ("matching", "mapping_error")]
    return [
        *(f"{areas[key]:,.0f}" for key in ("labels", "inventory", "both")),
        *("-" if share is None else f"{share:.4f}" for share in shares),
        *(f"{objects['labels'][key]:,}" for key in ("matched", "missed")),
        f"{objects['inventory']['extra']:,}",
    ]


def _object_cells(counts: Counts) -> list[str]:
    return [f"{count:,}" for part in objects_of(counts).values() for count in part.values()]


def _size(low: float, high: float | None) -> str:
    return f"from {low:,.0f} m²" if high is None else f"{low:,.0f} to {high:,.0f} m²"
