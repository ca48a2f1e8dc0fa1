"""What is mapped on scenes and tiles without any foreground, where no overlap can be scored."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from landslide_cli.core.palette import IGNORE, Mask, is_foreground
from landslide_cli.core.scores.objects import OBJECT_COLUMNS, object_counts
from landslide_cli.errors import counted
from landslide_cli.reporting import Table
from landslide_cli.runs.samples import Sample

# How many are shown in a table.
SHOWN = 10


@dataclass(frozen=True)
class FalseAlarms:
    """What is mapped on a sample without foreground, such as landslides.

    `pixels` are its labelled ones, `mapped` those of them that are mapped as foreground, in
    `objects`. `pixel_area` is in square metres, None where it is not known. `is_scored` tells
    whether the pooled scores have it too: those of a source of background alone are in none.
    """

    sample: Sample
    pixels: int
    mapped: int
    objects: int
    pixel_area: float | None
    is_scored: bool

    @classmethod
    def of(
        cls,
        sample: Sample,
        truth: Mask,
        mapped: Mask,
        pixel_area: float | None,
        is_scored: bool,
    ) -> "FalseAlarms":
        """Count what is mapped.

        Args:
            sample: without foreground.
            truth: (rows, cols), 0 where there is a label and `IGNORE` where there is none.
            mapped: (rows, cols) class indices, 0 where no foreground is mapped.
            pixel_area: in square metres, None where it is not known.
            is_scored: whether it is in the pooled scores.
        """
        alarm = (is_foreground(mapped) & (truth != IGNORE)).astype(np.uint8)
        (counts,) = object_counts(truth, alarm, 1, []).tolist()
        objects = counts[OBJECT_COLUMNS.index("predicted")]
        pixels = int((truth != IGNORE).sum())
        return cls(sample, pixels, int(alarm.sum()), objects, pixel_area, is_scored)

    def document(self) -> dict[str, Any]:
        """Return the numbers as JSON values."""
        return {
            "scene": self.sample.name,
            "fold": self.sample.fold,
            "scored": self.is_scored,
            "objects": self.objects,
            **_measured([self]),
        }


def false_alarms_document(alarms: Sequence[FalseAlarms]) -> dict[str, Any] | None:
    """Return the numbers of all samples without foreground, and of each; None without any."""
    if not any(alarm.pixels for alarm in alarms):
        return None
    return {
        "scenes": len(alarms),
        "objects": sum(alarm.objects for alarm in alarms),
        **_measured(alarms),
        "each": [alarm.document() for alarm in alarms],
    }


def false_alarms_table(
    document: dict[str, Any] | None, noun: str, foreground: str = "landslides"
) -> list[Table]:
    """Show the samples with most false alarms and all together; no table without any.

    Args:
        document: as of `false_alarms_document`.
        noun: "scenes" or "tiles".
        foreground: what they are without.
    """
    if document is None:
        return []
    each = sorted(document["each"], key=lambda line: -line["share"])
    shown = each[:SHOWN]
    rows = [(line["scene"], *_cells(line)) for line in shown]
    title = f"false alarms on {noun} without {foreground}"
    if len(shown) < len(each):
        title += f", the {SHOWN} with the largest share"
    columns = [noun[:-1], "falsely mapped", "share", "m² per km²", "objects"]
    together = f"all, {counted(document['scenes'], noun[:-1])}", *_cells(document)
    return [Table(title, columns, [*rows, together], least=["m² per km²"])]


def _measured(alarms: Sequence[FalseAlarms]) -> dict[str, Any]:
    """Return the pixels and areas of samples together, in square metres if all are known."""
    known = [alarm.pixel_area for alarm in alarms if alarm.pixel_area is not None]
    in_metres = len(known) == len(alarms)
    units = known if in_metres else [1.0] * len(alarms)
    # By area, as pixels of several GSD are of different worth.
    ground = sum(alarm.pixels * unit for alarm, unit in zip(alarms, units, strict=True))
    area = sum(alarm.mapped * unit for alarm, unit in zip(alarms, units, strict=True))
    share = area / ground if ground else 0.0
    return {
        "pixels": sum(alarm.pixels for alarm in alarms),
        "mapped": sum(alarm.mapped for alarm in alarms),
        "share": share,
        "square_metres_per_square_kilometre": 1e6 * share,
        "ground": ground,
        "area": area,
        "unit": "square metres" if in_metres else "pixels",
    }


def _cells(line: dict[str, Any]) -> tuple[str, str, str, str]:
    unit = "m²" if line["unit"] == "square metres" else "px"
    density = line["square_metres_per_square_kilometre"]
    area, objects = f"{line['area']:,.0f} {unit}", f"{line['objects']:,}"
    return area, f"{line['share']:.2%}", f"{density:,.0f}", objects
