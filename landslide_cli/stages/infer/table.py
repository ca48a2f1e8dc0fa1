"""The table of a folder of maps: the polygons of each scene and class, counted and measured."""

from collections.abc import Mapping

from landslide_cli.runs.map_record import StoredScene

# The third is called as polygons are.
COLUMNS = ("scene", "class", "landslides", "area", "unit", "share", "pixels", "gsd_m")


def rows_of(scenes: Mapping[str, StoredScene]) -> list[tuple[object, ...]]:
    """Return the rows, with `COLUMNS`: a line per scene and class.

    Args:
        scenes: by their names.
    """
    return [
        (name, total.name, total.landslides, f"{total.area:.1f}", scene.summary.unit,
         f"{total.share:.6f}", scene.summary.pixels, scene.summary.gsd or "")
        for name, scene in sorted(scenes.items())
        for total in scene.summary.totals
    ]  # fmt: skip
