"""The masks of all scenes as HDF5 files in one ZIP, the form in which challenges take them."""

import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from landslide_cli.core.palette import IGNORE
from landslide_cli.errors import OutputError
from landslide_cli.imagery.raster.array_files import hdf5_bytes
from landslide_cli.imagery.raster.mask_values import read_mask_values
from landslide_cli.outputs import whole_file
from landslide_cli.reporting import Reporter
from landslide_cli.runs.files import mask_path
from landslide_cli.version import __version__

SUBMISSION = "masks_h5.zip"

_KEY = "mask"
_MARK = b"landslide-cli"

# A ZIP has dates; the same masks give the same file on any day.
_DATE = (1980, 1, 1, 0, 0, 0)


def write_submission(
    folder: Path, scenes: Sequence[str], overwrite: bool, reporter: Reporter
) -> Path:
    """Write the masks of scenes into `masks_h5.zip`, and return its path.

    Each is a file with (rows, cols) uint8 class indices under the key `mask`, called like the scene
    with `mask` in the place of a leading `image`, or else with `mask_` before its name. Pixels
    without data are of the first class.

    Args:
        folder: of the maps.
        scenes: their names.
        overwrite: whether to replace a file of another origin.
        reporter: told of the file.

    Raises:
        DataError: a mask cannot be read.
        OutputError: there is a file of another origin, or it cannot be written.
    """
    path = folder / SUBMISSION
    if path.exists() and not overwrite and not _is_own(path):
        raise OutputError(f"{path}: is not of this program; move it away, or --overwrite it")
    with (
        whole_file(path) as partial,
        zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED) as archive,
    ):
        archive.comment = _MARK + f" {__version__}".encode()
        for scene in scenes:
            mask = read_mask_values(mask_path(folder, scene)).bands[0]
            content = hdf5_bytes(_KEY, np.where(mask == IGNORE, np.uint8(0), mask))
            entry = zipfile.ZipInfo(f"{_name(scene)}.h5", _DATE)
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, content)
    reporter.note(f"{len(scenes)} masks in {path}")
    return path


def _name(scene: str) -> str:
    return f"mask{scene.removeprefix('image')}" if scene.startswith("image") else f"mask_{scene}"


def _is_own(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.comment.startswith(_MARK)
    except (OSError, zipfile.BadZipFile):
        return False
