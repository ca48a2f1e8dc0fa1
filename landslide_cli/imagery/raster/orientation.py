"""Images that their EXIF tag turns: viewers show them turned, GDAL reads them as they are stored.

A mask that was drawn on what a viewer shows does not lie on the pixels that are read, and a map of
these does not lie on what the viewer shows. Nothing in a file tells which of the two was meant.
"""

import struct
import zlib
from pathlib import Path
from typing import Any, BinaryIO

from PIL import Image, TiffImagePlugin

from landslide_cli.errors import DataError
from landslide_cli.imagery.raster.georeference import georeference_of

_TAG, _UPRIGHT, _TURNED = 274, 1, frozenset("2345678")

_PNG_SIGNATURE, _RIFF_HEADER = 8, 12
_PNG_END = 2**16


def refuse_turned(path: Path, dataset: Any) -> None:
    """Refuse an opened image that its EXIF tag turns; one with a georeference is placed by that.

    Raises:
        DataError: the image is turned.
    """
    transform = georeference_of(dataset).transform
    if not transform.is_identity and transform.determinant:
        return
    orientation = _orientation(path, dataset)
    if orientation != _UPRIGHT:
        raise DataError(
            f"{path}: is turned by its EXIF tag (orientation {orientation}), which viewers follow "
            "and GIS programs do not;\nturn its pixels, as `mogrify -auto-orient` does, and if it "
            "has a mask, check that this lies on the result"
        )


def _orientation(path: Path, dataset: Any) -> int:
    """Return EXIF's orientation, from 1 to 8; 1 if there is none or it cannot be read."""
    told: Any = dataset.tags().get("EXIF_Orientation")
    read = {"PNG": _of_png, "WEBP": _of_webp, "GTiff": _of_tiff, "COG": _of_tiff}
    if told is None and dataset.driver in read and path.is_file():
        try:
            with path.open("rb") as file:
                told = read[dataset.driver](file)
        except (OSError, ValueError, SyntaxError, struct.error):
            return _UPRIGHT
    return int(told) if str(told) in _TURNED else _UPRIGHT


def _of_png(file: BinaryIO) -> Any:
    """Look before the pixels and, as there are many chunks of these, in the end of the file."""
    file.seek(_PNG_SIGNATURE)
    kind = b""
    while kind != b"IDAT" and len(head := file.read(8)) == 8:
        length, kind = struct.unpack(">I4s", head)
        if kind == b"eXIf":
            return _of_exif(file.read(length))
        file.seek(length + 4, 1)  # a checksum follows
    file.seek(max(file.tell(), file.seek(0, 2) - _PNG_END))
    end = file.read()
    start = end.find(b"eXIf")
    if start < 4:
        return None
    stop = start + 4 + int.from_bytes(end[start - 4 : start])
    is_chunk = zlib.crc32(end[start:stop]) == int.from_bytes(end[stop : stop + 4])
    return _of_exif(end[start + 4 : stop]) if is_chunk else None


def _of_webp(file: BinaryIO) -> Any:
    file.seek(_RIFF_HEADER)
    while len(head := file.read(8)) == 8:
        kind, length = struct.unpack("<4sI", head)
        if kind == b"EXIF":
            return _of_exif(file.read(length))
        file.seek(length + length % 2, 1)
    return None


def _of_tiff(file: BinaryIO) -> Any:
    header = file.read(8)
    directory = TiffImagePlugin.ImageFileDirectory_v2(header + file.read(8 * (header[2] == 43)))
    file.seek(directory.next)
    directory.load(file)
    return directory.get(_TAG)


def _of_exif(content: bytes) -> Any:
    exif = Image.Exif()
    exif.load(content)
    return exif.get(_TAG)
