"""Rasters that are no files of this machine: in archives, on servers, or parts of files.

GDAL opens them by names of its own: `/vsizip/scenes.zip/a.tif`, `/vsicurl/https://...`, or such of
a driver, `NETCDF:"file.nc":band` and `STACIT:"https://.../item.json"`.
"""

import re
import warnings
from pathlib import Path

# GDAL's virtual file systems, addresses, and names that begin with a driver's; a single letter and
# a colon are a drive of Windows.
_VIRTUAL = re.compile(r"[/\\]vsi\w+[/\\]|\w{2,}:")
_ADDRESS = re.compile(r"\b(https?|ftp|s3|gs):/+")
_ARCHIVE = re.compile(r"(/vsi(?:zip|tar|gzip|7z|rar)/)([^/{].*)")
# One of these file systems in another, as an archive on a server is.
_NESTED = re.compile(r"(?<=/)(vsi\w+/)(?=vsi\w+/)")
# A part of a file, such as NETCDF:"file.nc":red and HDF5:"file.h5"://group/red.
_PART = re.compile(r"\w{2,}:(?:\"(.*)\"|([^:\"]*)):(.*)")
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
    name = _NESTED.sub(r"\1/", _ADDRESS.sub(r"\1://", name))
    if _ADDRESS.match(name):
        return f"/vsicurl/{name}"
    if name.startswith("HDF5:"):
        return re.sub(r":/+(?=[^:]*$)", "://", name)
    archive = _ARCHIVE.fullmatch(name)
    if archive is not None:
        absolute = Path(f"/{archive[2]}")
        if any(parent.is_file() for parent in (absolute, *absolute.parents)):
            return f"{archive[1]}{absolute}"
    return name


def in_archive(path: Path) -> list[Path] | None:
    """List what lies below a folder of an archive; None for what is no archive and no folder."""
    if _ARCHIVE.fullmatch(str(path)) is None:
        return None
    import pyogrio  # whose GDAL has a list for everybody

    folder = gdal_name(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a server that does not answer
            members = pyogrio.vsi_listtree(folder)
    except OSError:
        return None
    return [path / member[len(folder) :].lstrip("/") for member in members if member[-1] != "/"]


def name_of(path: Path) -> str:
    """Return what a scene of such a name is called: its last part, without suffix.

    A part of a file is called after both, as `file_red`.
    """
    name = str(path)
    part = None if _ADDRESS.match(name) else _PART.fullmatch(name)
    names = (name,) if part is None else (part[1] or part[2], part[3])
    lasts = [re.split(r"[/\\]", name.rstrip("\"'"))[-1] for name in names]
    return _NOT_IN_NAMES.sub("_", "_".join(Path(last).stem for last in lasts)).strip("_") or "scene"


def shown(path: Path) -> str:
    """Return a raster's name for messages, with the double slashes of an address."""
    return _ADDRESS.sub(r"\1://", str(path)) if is_virtual(path) else str(path)
