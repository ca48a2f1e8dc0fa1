"""Rasters that are no files of this machine: in archives, on servers, or parts of files.

GDAL opens them by names of its own: `/vsizip/scenes.zip/a.tif`, `/vsicurl/https://...`, or such of
a driver, `NETCDF:"file.nc":band` and `STACIT:"https://.../item.json"`.
"""

import re
from pathlib import Path

# GDAL's virtual file systems, addresses, and names that begin with a driver's; a single letter and
# a colon are a drive of Windows.
_VIRTUAL = re.compile(r"[/\\]vsi\w+[/\\]|\w{2,}:")
_ADDRESS = re.compile(r"\b(https?|ftp|s3|gs):/+")
_ARCHIVE = re.compile(r"(/vsi(?:zip|tar|gzip|7z|rar)/)([^/{].*)")
_NOT_IN_NAMES = re.compile(r"[^\w.+-]+")


def is_virtual(path: Path | str) -> bool:
    """Whether a name is one of GDAL's own, which no file of this machine has."""
    return _VIRTUAL.match(str(path)) is not None


def gdal_name(path: Path) -> str:
    """Return the name by which GDAL opens a raster.

    A path has lost the double slashes of an address, and of an archive's absolute path.
    """
    name = str(path)
    if not is_virtual(name):
        return name
    name = _ADDRESS.sub(r"\1://", name)
    if _ADDRESS.match(name):
        return f"/vsicurl/{name}"
    archive = _ARCHIVE.fullmatch(name)
    if archive is not None:
        absolute = Path(f"/{archive[2]}")
        if any(parent.is_file() for parent in (absolute, *absolute.parents)):
            return f"{archive[1]}{absolute}"
    return name


def name_of(path: Path) -> str:
    """Return what a scene of such a name is called: its last part, without suffix."""
    name = re.split(r"[/\\:]", str(path).rstrip("\"'"))[-1]
    return _NOT_IN_NAMES.sub("_", Path(name).stem).strip("_") or "scene"
