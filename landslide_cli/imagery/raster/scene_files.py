"""The files that an image follows from: itself, what it is composed of, and what lies beside it.

A raster may get its pixels, its georeference and its mask from other files: a VRT names its
sources, and GDAL takes world files, masks and metadata by their names.
"""

import html
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path

import rasterio
from rasterio.errors import RasterioError

from landslide_cli.imagery.raster.addresses import gdal_name, is_virtual
from landslide_cli.imagery.raster.recognition import ARRAYS, file_of

# What GDAL takes from beside a file, by what is added to its name ...
_ADDED = (".aux.xml", ".msk", ".msk.ovr", ".ovr", ".ovr.aux.xml", ".gcp")
# ... or to its name without suffix.
_REPLACING = (
    *(".aux", ".aux.xml", ".ige", ".hdr", ".prj", ".tab", ".map", ".wld"),
    *(".rpb", ".rpc", "_rpc.txt", ".imd"),
)

# Formats of one file, besides the above.
_SINGLE = {".tif", ".tiff", ".png", ".jpg", ".jpeg", ".jp2", ".bmp", ".webp", ".gif"}

# What XML files say of other files; those of a VRT are relative to it where they say so.
_SOURCE = re.compile(r"<Source(?:Filename|Dataset)([^>]*)>([^<]+)<")

# A part of a file, such as NETCDF:"file.nc":band.
_SUBDATASET = re.compile(r"\w+:\"?(.*?)\"?(?::[^/\\]*)?")

# What viewers write about an image without changing anything in it.
_STATISTICS = re.compile(rb"<Histograms>.*?</Histograms>|<MDI key=\"STATISTICS_[^<]*</MDI>", re.S)
_EMPTY = re.compile(rb"<(\w+)[^>]*>\s*</\1>|<\w+[^>]*/>|\s+")


def files_of(images: Iterable[Path]) -> list[Path]:
    """List images with all the files that they follow from, each once.

    Args:
        images: rasters; what they are composed of is followed through any number of VRTs.

    Returns:
        Files that exist; of what lies in an archive the archive. Those of the network are left out.
    """
    found: dict[Path, None] = {}
    files = [_on_disk(gdal_name(image)) if is_virtual(image) else image for image in images]
    waiting = [file_of(file)[0] for file in files if file is not None][::-1]
    while waiting:
        path = waiting.pop()
        if path in found:
            continue
        found[path] = None
        found.update(dict.fromkeys(beside(path)))
        waiting += [source for source in _sources(path) if source not in found]
    return list(found)


def beside(path: Path) -> list[Path]:
    """List what GDAL takes from beside a file; what only has statistics in it is left out."""
    names, stem, suffix = _listed(path.parent), path.stem.lower(), path.suffix.lower()
    candidates = [f"{path.name.lower()}{added}" for added in _ADDED]
    candidates += [f"{stem}{added}" for added in (*_REPLACING, *_world_suffixes(suffix))]
    found = {name for candidate in candidates for name in names.get(candidate, ())}
    files = [path.with_name(name) for name in sorted(found - {path.name})]
    return [file for file in files if file.suffix.lower() != ".xml" or _says_something(file)]


def _world_suffixes(suffix: str) -> Iterator[str]:
    """Name the suffixes of an image's world file."""
    if len(suffix) > 1:
        yield f".{suffix[1]}{suffix[-1]}w"
        yield f"{suffix}w"


def _listed(folder: Path) -> dict[str, list[str]]:
    """List the names in a folder by their lower-case form; it is read again if it has changed."""
    try:
        return _listed_at(folder, folder.stat().st_mtime_ns)
    except OSError:
        return {}


@lru_cache(64)
def _listed_at(folder: Path, modified: int) -> dict[str, list[str]]:
    names: dict[str, list[str]] = {}
    for path in folder.iterdir():
        names.setdefault(path.name.lower(), []).append(path.name)
    return names


def _says_something(path: Path) -> bool:
    """Whether an .aux.xml has more in it than the statistics that viewers write."""
    try:
        text = _STATISTICS.sub(b"", path.read_bytes())
    except OSError:
        return True
    before = None
    while text != before:
        before, text = text, _EMPTY.sub(b"", text)
    return bool(text)


def _sources(path: Path) -> list[Path]:
    """List the files that an image is composed of."""
    if path.suffix.lower() in _SINGLE | ARRAYS and not _is_xml(path):
        return []
    names = _files_by_gdal(path)
    if _is_xml(path):
        # GDAL leaves out what masks and overviews are taken from.
        text = path.read_text(encoding="utf-8", errors="replace")
        for attributes, escaped in _SOURCE.findall(text):
            is_relative = re.search(r"relativeToVRT\s*=\s*[\"']1", attributes) is not None
            name = html.unescape(escaped.strip())
            names.append(str(path.parent / name) if is_relative else name)
    return [file for name in names if (file := _on_disk(name)) is not None and file != path]


def _is_xml(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(64).lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<")
    except OSError:
        return False


def _files_by_gdal(path: Path) -> list[str]:
    try:
        with rasterio.open(path) as dataset:
            return list(dataset.files)
    except (RasterioError, OSError, ValueError):
        return []  # said when it is read


def _on_disk(name: str) -> Path | None:
    """Return the file that a name of GDAL's leads to, such as the archive that it is in."""
    if name.startswith("vrt://"):
        name = name.removeprefix("vrt://").partition("?")[0]
    path = Path(name)
    match = re.match(r"(?:/vsi\w+)+/(.*)", name) or _SUBDATASET.fullmatch(name)
    if match is not None and not path.exists():
        path = Path(match[1])
    while not path.is_file() and path != path.parent:
        path = path.parent
    return path if path.is_file() else None
