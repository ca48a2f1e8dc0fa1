"""Maps of any size, written piece by piece and finished as Cloud Optimized GeoTIFF or PNG.

GDAL reports a full disk only sometimes: what it still holds in memory is written on closing, and
rasterio reports errors there only in its log. So the log is followed, and every finished file is
checked.
"""

import errno
import logging
import math
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Self

import rasterio
import rasterio.shutil
from numpy.typing import NDArray
from rasterio.windows import Window

from landslide_cli.imagery.raster.georeference import Georeference
from landslide_cli.imagery.raster.opening import GDAL_ERRORS, opened
from landslide_cli.imagery.raster.recognition import MARK, marked

# Side of the TIFF's blocks, in pixels; of overviews too.
BLOCK = 512

# All that a map says stands in its file; GDAL would put the rest into a file beside it.
_WRITING = {"GDAL_PAM_ENABLED": "NO"}


# What libtiff says of a block that it could not write. It goes on, and may leave a remainder of the
# block in its place, so that nothing seems to be missing.
_BLOCK_LOST = "error at scanline"

# The logger to which rasterio writes GDAL's errors, as mere information.
_LOG = logging.getLogger("rasterio")
_LOG.setLevel(logging.INFO)

# The chunk that ends every PNG: no content, its type, its checksum.
_PNG_END = bytes(4) + b"IEND" + bytes.fromhex("ae426082")


@dataclass(frozen=True)
class Layer:
    """What a map holds.

    `nodata` is the value of pixels without data, `colours` those of the values of a uint8 layer,
    `description` the name of its band, `tags` what is said of the map, by keys.
    """

    dtype: Literal["uint8", "float32"]
    nodata: float
    colours: Mapping[int, tuple[int, int, int]] | None = None
    description: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)


class MapWriter:
    """A map that is written piece by piece, in any order, into a GeoTIFF to be finished later.

    Pieces need not be aligned to anything. What is never written has no data.

    Args:
        path: the file to write; an existing one is replaced.
        height: of the map, in pixels.
        width: likewise.
        georeference: where it lies.
        layer: what it holds.

    Raises:
        OSError: the file cannot be written, on opening, writing or closing.
    """

    def __init__(
        self, path: Path, height: int, width: int, georeference: Georeference, layer: Layer
    ) -> None:
        self._path = path
        _require_writable(path)
        with _writing(path):
            self._dataset = _created(path, height, width, georeference, layer)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        if kind is not None:
            with suppress(OSError):
                self._close()
            return
        self._close()
        _require_whole_tiff(self._path)

    def _close(self) -> None:
        with _writing(self._path):
            self._dataset.close()

    def write(self, row_off: int, col_off: int, values: NDArray[Any]) -> None:
        """Write (rows, cols) values of the layer's type; their upper left pixel is given.

        Raises:
            OSError: the file cannot be written.
            ValueError: the values do not lie inside the map.
        """
        rows, cols = values.shape
        height, width = self._dataset.shape
        if not (0 <= row_off <= height - rows and 0 <= col_off <= width - cols):
            raise ValueError(
                f"{rows} x {cols} values at {row_off}, {col_off} of {height} x {width} pixels"
            )
        with _writing(self._path):
            self._dataset.write(values, 1, window=Window(col_off, row_off, cols, rows))


def finish_cog(source: Path, target: Path, layer: Layer) -> None:
    """Turn what a `MapWriter` wrote into a Cloud Optimized GeoTIFF with overviews.

    Overviews take every other pixel of a uint8 layer, as classes have no mean, and the mean of a
    float32 layer.

    Args:
        source: the file that was written.
        target: the file to write; an existing one is replaced.
        layer: what the map holds.

    Raises:
        OSError: the target cannot be written.
    """
    packing = {
        # Levels beyond these take long for what they save.
        "uint8": {"level": 5, "overview_resampling": "nearest"},
        "float32": {"level": 1, "predictor": "floating_point", "overview_resampling": "average"},
    }[layer.dtype]
    _copy(
        source,
        target,
        "COG",
        compress="deflate",
        blocksize=BLOCK,
        bigtiff="if_safer",
        num_threads="all_cpus",
        **packing,
    )
    _require_whole_tiff(target)


def finish_png(source: Path, target: Path) -> None:
    """Turn what a `MapWriter` wrote of a uint8 layer into a PNG in the colours of its values.

    Pixels without data are transparent.

    Args:
        source: the file that was written.
        target: the file to write; an existing one is replaced.

    Raises:
        OSError: the target cannot be written.
    """
    _copy(source, target, "PNG", zlevel=3)
    target.write_bytes(marked(target.read_bytes()))
    _require_whole_png(target)


def _created(path: Path, height: int, width: int, georeference: Georeference, layer: Layer) -> Any:
    dataset = rasterio.open(
        path,
        "w",
        driver="GTiff",
        height=height,
        width=width,
        count=1,
        dtype=layer.dtype,
        nodata=layer.nodata,
        tiled=True,
        blockxsize=BLOCK,
        blockysize=BLOCK,
        bigtiff="if_safer",
        **_placing(georeference),
        **_scratch_packing(layer),
    )
    dataset.update_tags(**layer.tags, TIFFTAG_SOFTWARE=MARK)
    if layer.description:
        dataset.set_band_description(1, layer.description)
    if layer.colours is not None:
        dataset.write_colormap(1, dict(layer.colours))
    return dataset


def _placing(georeference: Georeference) -> dict[str, Any]:
    """Return what places a map: what places its scene, ground control points and RPCs too."""
    placing = {} if georeference.control is None else dict(georeference.control.placing)
    if "gcps" in placing:
        return placing
    return placing | {"crs": georeference.crs, "transform": georeference.transform}


def _scratch_packing(layer: Layer) -> dict[str, Any]:
    """Return how a map is packed until it is finished.

    Masks shrink to a hundredth in less time than writing them whole takes, and what blocks that are
    written twice leave behind is little. Probabilities hardly shrink, and it takes three times as
    long.
    """
    if layer.dtype == "float32":
        return {}
    photometric = "minisblack" if layer.colours is None else "palette"
    return {"compress": "zstd", "zstd_level": 1, "photometric": photometric}


def _copy(source: Path, target: Path, driver: str, **options: Any) -> None:
    _require_writable(target)
    with opened(source) as dataset, _writing(target):
        rasterio.shutil.copy(dataset, str(target), driver=driver, **options)


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    """Have GDAL write a file, and turn its errors into an `OSError`."""
    with rasterio.Env(**_WRITING), _blocks_lost() as lost:
        try:
            yield
        except GDAL_ERRORS as error:
            raise _half_written(path) from error
    if lost:
        raise _half_written(path)


@contextmanager
def _blocks_lost() -> Iterator[list[str]]:
    """Collect what is said in this thread of blocks that could not be written."""
    listener = _Listener()
    _LOG.addHandler(listener)
    try:
        yield listener.lost
    finally:
        _LOG.removeHandler(listener)


class _Listener(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.lost: list[str] = []
        self._thread = threading.get_ident()

    def emit(self, record: logging.LogRecord) -> None:
        message = record.getMessage()
        if record.thread == self._thread and _BLOCK_LOST in message:
            self.lost.append(message)


def _half_written(path: Path) -> OSError:
    """Return the error for a file that could be opened and not be written to its end.

    GDAL does not say why; nearly always the disk is full.
    """
    return OSError(errno.ENOSPC, "writing stopped half way, as on a full disk", str(path))


def _require_writable(path: Path) -> None:
    """Raise the system's reason why a file cannot be made, which GDAL's errors do not tell."""
    path.unlink(missing_ok=True)
    path.touch()
    path.unlink()


def _require_whole_tiff(path: Path) -> None:
    """Refuse a TIFF of which a block or an overview was not written, or not to its end."""
    size = path.stat().st_size
    with _writing(path), rasterio.open(path) as dataset:
        levels = [None, *range(len(dataset.overviews(1)))]
        whole = all(
            0 < offset < offset + length <= size
            for level in levels
            for offset, length in _blocks(dataset, level)
        )
    if not whole:
        raise _half_written(path)


def _blocks(dataset: Any, level: int | None) -> Iterator[tuple[int, int]]:
    """Yield the place and the length of each block of an overview or of the map, in bytes."""
    overview = {} if level is None else {"ovr": level}
    rows, cols = _size_in_blocks(dataset, level)
    for row in range(rows):
        for col in range(cols):
            offset, length = (
                dataset.get_tag_item(f"BLOCK_{what}_{col}_{row}", "TIFF", bidx=1, **overview)
                for what in ("OFFSET", "SIZE")
            )
            yield int(offset or 0), int(length or 0)


def _size_in_blocks(dataset: Any, level: int | None) -> tuple[int, int]:
    if level is None:
        rows, cols = dataset.shape
    else:
        with rasterio.open(dataset.name, overview_level=level) as overview:
            rows, cols = overview.shape
    return math.ceil(rows / BLOCK), math.ceil(cols / BLOCK)


def _require_whole_png(path: Path) -> None:
    """Refuse a PNG without its last chunk, which is written on closing."""
    with path.open("rb") as file:
        file.seek(0, os.SEEK_END)
        file.seek(max(0, file.tell() - len(_PNG_END)))
        if file.read() != _PNG_END:
            raise _half_written(path)
