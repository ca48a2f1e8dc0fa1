"""Image files and maps: rasters, polygons, shared ground, synthetic scenes, pictures."""

import os
from importlib.util import find_spec
from pathlib import Path


def _keep_to_own_projections() -> None:
    """Have rasterio and pyogrio use the database of projections that each brings along.

    Other programs, such as a GIS, name theirs in the environment; it is of another version of PROJ
    as a rule, and with it no CRS is known. A rasterio that brings none is left alone.
    """
    rasterio = find_spec("rasterio")
    if rasterio is not None and Path(str(rasterio.origin)).with_name("proj_data").is_dir():
        os.environ.pop("PROJ_DATA", None)
        os.environ.pop("PROJ_LIB", None)


# Before either is imported.
_keep_to_own_projections()

# What goes wrong in PROJ is told by the errors that follow from it. PROJ itself would write to
# stderr what is none, such as a unit without a code in a GeoTIFF.
os.environ.setdefault("PROJ_DEBUG", "0")
