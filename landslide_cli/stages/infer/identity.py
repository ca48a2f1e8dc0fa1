"""Whether an image is the one that was mapped: by all of its files, at little cost.

A file with the size and the times that it had is not read. One whose size and modification time
tell nothing, such as a copy that has kept them, is compared by its content: small files whole,
large ones by samples.
"""

import os
from collections.abc import Sequence
from pathlib import Path

from landslide_cli.imagery.raster.addresses import is_virtual
from landslide_cli.imagery.raster.recognition import file_of
from landslide_cli.imagery.raster.scene_files import beside, files_of
from landslide_cli.records import Input
from landslide_cli.runs.map_record import Identity

# Bytes of all files of an image that are read for their digests; and of each at least.
_MOST, _LEAST = 2**26, 2**15


def identity_of(image: Path, layers: Sequence[Path] = ()) -> Identity:
    """Describe an image, the layers beside it and all of their files.

    Raises:
        OSError: a file cannot be read.
    """
    image = _absolute(image)
    files = files_of([image, *(_absolute(layer) for layer in layers)])
    most = _share(len(files))
    inputs = {str(file): Input.of(file, most=most) for file in files}
    described = {
        name: (file.size, file.modified, file.digest, file.changed) for name, file in inputs.items()
    }
    return Identity(str(image), described)


def is_of(identity: Identity, image: Path) -> bool:
    """Whether an image is at the path of the one that was mapped, or was moved from there."""
    before, image = Path(identity.image), file_of(image)[0]
    if is_virtual(image) or is_virtual(before):
        return before == image
    if before.exists() and image.exists():
        return os.path.samefile(before, image)  # noqa: PTH121 - either may be a link
    described = identity.files.get(str(before))
    return described is not None and before.name == image.name and described[:2] == state_of(image)


def state_of(path: Path) -> tuple[int, int]:
    """Describe a file without reading it, by its size and its time; (-1, -1) without one."""
    try:
        status = path.stat()
    except OSError:
        return -1, -1
    return status.st_size, status.st_mtime_ns


def is_unchanged(image: Path, identity: Identity) -> bool:
    """Whether an image is what `identity_of` described earlier, there or where it was moved to.

    A file that is listed and is gone, or was changed, or has another beside it that GDAL would take
    into account, makes it another image.
    """
    before, here = Path(identity.image), _absolute(image)
    known = {
        _moved(Path(name), before, here): Input(*file) for name, file in identity.files.items()
    }
    most = _share(len(known))
    if not all(_is_same(file, before, most) for file, before in known.items()):
        return False
    return not any(file not in known for path in known for file in beside(path))


def _moved(file: Path, before: Path, here: Path) -> Path:
    """Return where a file of an image lies, if all that is in the image's folder was moved."""
    if file == before:
        return here
    inside = file.is_relative_to(before.parent)
    return here.parent / file.relative_to(before.parent) if inside else file


def _is_same(file: Path, before: Input, most: int) -> bool:
    try:
        if state_of(file) != (before.size, before.modified):
            return False
        return Input.of(file, before, most).digest == before.digest
    except OSError:
        return False


def _absolute(image: Path) -> Path:
    return image if is_virtual(image) else file_of(image)[0].absolute()


def _share(files: int) -> int:
    """Return how many bytes of each file are read."""
    return max(_LEAST, _MOST // max(1, files))
