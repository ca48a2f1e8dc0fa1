"""What a file is before it is read: a raster to be mapped, something beside one, or a map of ours.

Maps and pictures of this program carry a mark, by which they are told from scenes under any name.
"""

import os
import stat
import zlib
from pathlib import Path

import rasterio
from rasterio.errors import RasterioError

from landslide_cli.errors import DataError, printable
from landslide_cli.imagery.raster.addresses import is_virtual, name_of

# Files with these are images, whatever is in them: one that cannot be read is an error.
SUFFIXES = frozenset(
    {
        *(".png", ".jpg", ".jpeg", ".tif", ".tiff", ".jp2", ".j2k", ".vrt", ".bmp"),
        *(".webp", ".gif", ".h5", ".hdf5", ".npz"),
    }
)

# Files of arrays: HDF5's, and NumPy's.
HDF5 = frozenset({".h5", ".hdf5"})
ARRAYS = HDF5 | {".npz"}

# Files with these are none, although GDAL may open them: what lies beside a raster, and texts.
_NO_IMAGES = frozenset(
    {
        *(".aux", ".ovr", ".msk", ".rrd", ".rde", ".ige", ".hdr", ".xml", ".db"),
        *(".txt", ".csv", ".json", ".geojson", ".html", ".md", ".yaml", ".yml"),
        *(".qml", ".kml"),
    }
)

# The types of pixels that an image has; a raster of others may be elevations.
_IMAGE_TYPES = ("uint8", "uint16")

# What a map's header has as its software or comment.
MARK = "landslide-cli map"

# How far into a PNG or JPEG of ours its mark is, at most, in bytes.
_HEAD = 512

_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_PNG, _JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8"
_PNG_HEADER = 33  # bytes of the signature and of the first chunk


def file_of(path: Path) -> tuple[Path, str | None]:
    """Return the file that a raster lies in, and the name of an array in it, None where none is.

    `chip.h5/img` is the array `img` of chip.h5.
    """
    if path.suffix.lower() not in ARRAYS:
        for parent in path.parents:
            if parent.suffix.lower() in ARRAYS and parent.is_file():
                return parent, path.relative_to(parent).as_posix()
    return path, None


def array_in(path: Path, key: str | None) -> Path:
    """Return the array of that name in a file of arrays; any other file as it is."""
    return path / key if key is not None and path.suffix.lower() in ARRAYS else path


def stem_of(path: Path) -> str:
    """Return what a scene is called after: the name of its file without suffix."""
    return name_of(path) if is_virtual(path) else file_of(path)[0].stem


def require_file(path: Path) -> None:
    """Refuse what cannot be a raster, without opening it: opening a pipe would wait for ever.

    Raises:
        DataError: it is missing, empty, a folder, a pipe or not to be read; or GDAL cannot take its
            name.
    """
    if not has_utf8_name(path):
        raise DataError(f"{printable(path)}: its name is not UTF-8; rename it")
    if is_virtual(path):
        return  # GDAL tells
    path, _ = file_of(path)
    try:
        status = path.stat()
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: {_why_missing(path, error)}") from None
    if stat.S_ISDIR(status.st_mode):
        raise DataError(f"{path}: is a folder, not an image")
    if not stat.S_ISREG(status.st_mode):
        raise DataError(f"{path}: is not a regular file")
    if status.st_size == 0:
        raise DataError(f"{path}: is an empty file; replace it or take it away")
    if not os.access(path, os.R_OK):
        raise DataError(f"{path}: may not be read; change its permissions")


def has_utf8_name(path: Path) -> bool:
    """Whether a path can be written as text: into records and tables, and for GDAL."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return False
    return True


def _why_missing(path: Path, error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return "links to a file that is not there" if path.is_symlink() else "no such file"
    return (isinstance(error, OSError) and error.strerror) or str(error)


def is_hidden(path: Path) -> bool:
    """Whether a file's name says that it is not for people, as `._scene.tif` of macOS does."""
    return path.name.startswith(".")


def pixel_type(path: Path) -> str | None:
    """Return the type of a file's pixels; None if GDAL takes it for no raster."""
    try:
        require_file(path)
        if path.suffix.lower() in ARRAYS:
            return None  # not told without reading it
        with rasterio.open(path) as dataset:
            return str(dataset.dtypes[0]) if dataset.count else None
    except (DataError, RasterioError, ValueError, LookupError, TypeError):
        return None


def is_image(path: Path) -> bool | None:
    """Tell an image from other files of a folder; None for a raster of another kind.

    Only files whose suffix does not tell are opened.
    """
    suffix = path.suffix.lower()
    if is_hidden(path) or suffix in _NO_IMAGES:
        return False
    if suffix in SUFFIXES:
        return True
    kind = pixel_type(path)
    return False if kind is None else (kind in _IMAGE_TYPES) or None


def is_map(path: Path) -> bool:
    """Whether a file is a map or a picture of this program, by its mark."""
    try:
        require_file(path)
        with path.open("rb") as file:
            head = file.read(_HEAD)
        if head.startswith((_PNG, _JPEG)):
            return MARK.encode() in head
        if not head.startswith(_TIFF):
            return False
        # Without a look at what lies beside it, which takes long in a large folder.
        with (
            rasterio.Env(GDAL_DISABLE_READDIR_ON_OPEN="EMPTY_DIR"),
            rasterio.open(path) as dataset,
        ):
            return bool(dataset.tags().get("TIFFTAG_SOFTWARE") == MARK)
    except (DataError, OSError, RasterioError, ValueError, LookupError, TypeError):
        return False


def marked(encoded: bytes) -> bytes:
    """Put the mark into an encoded PNG or JPEG."""
    mark = MARK.encode()
    if encoded.startswith(_PNG):
        text = b"tEXtSoftware\0" + mark
        chunk = (len(text) - 4).to_bytes(4) + text + zlib.crc32(text).to_bytes(4)
        return encoded[:_PNG_HEADER] + chunk + encoded[_PNG_HEADER:]
    # After the first segment, which must remain the first.
    end = 4 + int.from_bytes(encoded[4:6])
    comment = b"\xff\xfe" + (len(mark) + 2).to_bytes(2) + mark
    return encoded[:end] + comment + encoded[end:]
