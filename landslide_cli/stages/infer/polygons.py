"""The files of a scene's polygons: attributes that were asked for, and formats."""

from pathlib import Path

from landslide_cli.core.palette import Palette
from landslide_cli.imagery.provenance import Provenance
from landslide_cli.imagery.vector.attributes import LandslideTable, inserted
from landslide_cli.imagery.vector.polygon_files import write_polygons
from landslide_cli.imagery.vector.terrain import terrain_of
from landslide_cli.imagery.vector.volumes import volumes_of
from landslide_cli.runs.files import map_suffixes
from landslide_cli.runs.map_outputs import Outputs


def described(table: LandslideTable, outputs: Outputs) -> LandslideTable:
    """Add the attributes that were asked for; without a georeference there are none.

    Raises:
        DataError: the elevation model cannot be read, or lies in another local CRS.
    """
    if table.crs is None:
        return table
    if outputs.elevation is not None:
        table = inserted(table, terrain_of(table, Path(outputs.elevation[0])))
    if outputs.volume:
        table = inserted(table, volumes_of(table.fields["area_m2"]))
    return table


def write_formats(
    folder: Path,
    table: LandslideTable,
    provenance: Provenance,
    outputs: Outputs,
    palette: Palette,
) -> dict[str, str]:
    """Write the polygons in each format; return the names of the files by their kinds.

    KML is left out of what has no place on the Earth.
    """
    files, suffixes = {}, map_suffixes(palette.polygons)
    for kind in outputs.formats:
        if kind == "kml" and not table.is_on_earth:
            continue
        files[kind] = f"{provenance.scene}{suffixes[kind]}"
        write_polygons(folder / files[kind], table, provenance, palette)
    return files
