"""The inventory of a folder: the polygons of all its scenes, each counted once."""

from collections.abc import Sequence
from pathlib import Path

from landslide_cli.core.palette import Palette
from landslide_cli.errors import DataError, OutputError, counted
from landslide_cli.imagery.vector.inventory import inventory_of
from landslide_cli.imagery.vector.polygon_files import geopackage, read_table
from landslide_cli.reporting import Reporter
from landslide_cli.stages.infer.folder import INVENTORY, MapFolder
from landslide_cli.version import __version__


def update_inventory(
    folder: MapFolder, merge: bool, overwrite: bool, palette: Palette, reporter: Reporter
) -> Path | None:
    """Bring `inventory.gpkg` up to date with the GeoPackages of the scenes; return its path.

    One that a person has changed stays as it is, with a warning.

    Args:
        folder: of the maps.
        merge: whether duplicates are left out, or flagged.
        overwrite: whether to replace what a person has changed.
        palette: the classes, by which they are drawn.
        reporter: told what is in it.
    """
    path = folder.folder / INVENTORY

    def make(layers: Sequence[Path]) -> bytes | None:
        return _inventory(layers, merge, palette, reporter)

    try:
        folder.write_inventory(merge, overwrite, make)
    except OutputError as error:
        reporter.warn(f"{error}; it is left as it is (--overwrite replaces it)")
    return path if path.is_file() else None


def _inventory(
    layers: Sequence[Path], merge: bool, palette: Palette, reporter: Reporter
) -> bytes | None:
    tables = []
    for layer in layers:
        try:
            tables.append(read_table(layer))
        except DataError as error:
            reporter.warn(f"{error}; it is left out of {INVENTORY}")
    table = inventory_of(tables, merge)
    placed = sum(scene.crs is not None for scene in tables)
    if table is None or placed < 2:
        return None
    if merge:
        others = [names.count(", ") + 1 for names in table.fields["also_in"].tolist() if names]
        twice, what = sum(others), "left out"
    else:
        twice, what = int((table.fields["duplicate_of"] > 0).sum()), "flagged"
    count = counted(len(table.geometries), palette.polygons[:-1])
    told = f", {counted(twice, 'duplicate')} {what}" if twice else ""
    reporter.note(f"{INVENTORY}: {count} of {placed} scenes{told}")
    days = [str(day) for day in table.fields["mapped"].astype("datetime64[D]").tolist()]
    metadata = {
        "SOFTWARE": f"landslide-cli {__version__}",
        "SCENES": str(placed),
        "DUPLICATES": "left out" if merge else "flagged",
    }
    return geopackage(table, metadata, max(days, default="1970-01-01"), palette)
