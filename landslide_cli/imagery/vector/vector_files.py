"""Opening vector files by GDAL, and saying in plain words what is wrong with them."""

import re
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from landslide_cli.errors import DataError
from landslide_cli.imagery.raster.addresses import is_virtual

# What GDAL adds to an error for programmers.
_ADVICE = re.compile(r";? It might help to specify the correct driver.*")


@contextmanager
def explained(name: str, doubt: str = "") -> Iterator[None]:
    """Raise what is wrong with a layer in plain words, and keep GDAL's warnings from stderr.

    Args:
        name: of the layer, for messages.
        doubt: what else may be wrong, after "cannot be read".
    """
    from pyogrio.errors import DataLayerError, DataSourceError, FeatureError, GeometryError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except (ValueError, DataSourceError, DataLayerError, FeatureError, GeometryError) as error:
        raise DataError(f"{name}: {_why_unreadable(name, error, doubt)}") from None


def layers_of(name: str, file: str) -> list[str]:
    """List the layers of a vector file, database or service.

    Args:
        name: of a layer in it, for messages.
        file: what GDAL opens.

    Raises:
        DataError: it is none, or cannot be read.
    """
    import pyogrio

    with explained(name, " as a vector file"):
        return [str(layer) for layer, _ in pyogrio.list_layers(file)]


def refuse_cut_short(file: str) -> None:
    """Refuse a shapefile of which parts are missing at the end: GDAL reads on without a word.

    Raises:
        DataError: it is shorter than it says itself.
    """
    path = Path(file)
    if path.suffix.lower() != ".shp":
        return
    for part, size in ((path, _shp_size), (path.with_suffix(".dbf"), _dbf_size)):
        with suppress(OSError, struct.error):
            length = part.stat().st_size
            with part.open("rb") as content:
                told = size(content.read(32))
            if length < told:
                raise DataError(
                    f"{part}: is cut short: {length:,} of {told:,} bytes; copy it here again"
                )


def _shp_size(header: bytes) -> int:
    """Return how many bytes a .shp file has (ESRI, Shapefile technical description, 1998)."""
    return int(struct.unpack(">i", header[24:28])[0]) * 2


def _dbf_size(header: bytes) -> int:
    """Return how many bytes the records of a .dbf file take, with its header."""
    records, start, length = struct.unpack("<IHH", header[4:12])
    return int(start + records * length)


def _why_unreadable(name: str, error: Exception, doubt: str) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    words = _ADVICE.sub("", lines[0]).removeprefix(f"{name}: ").strip("; ")
    if "not recognized as being in a supported file format" in words:
        return "is no vector file of a known format"
    if is_virtual(name) and words.endswith("No such file or directory"):
        driver = name.partition(":")[0]
        return (
            f"GDAL has no driver for {driver} here; export the layer to a file, such as a "
            "GeoPackage"
        )
    return f"cannot be read{doubt}: {words}"
