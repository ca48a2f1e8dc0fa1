"""Whether an image is the one that was mapped: by all of its files, at little cost.

A file with the size and the times that it had is not read. One whose size and modification time
tell nothing, such as a copy that has kept them, is compared by its content: small files whole,
large ones by samples.
"""

from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

from landslide_cli.imagery.raster.addresses import is_virtual
from landslide_cli.imagery.raster.recognition import file_of
from landslide_cli.imagery.raster.scene_files import beside, files_of
from landslide_cli.records import Input


@dataclass(frozen=True)
class Identity:
    """What is stored of an image and all of its files, by their paths."""

    image: str
    files: dict[str, tuple[int, int, str, int]]


# Bytes of all files of an image that are read for their digests; and of each at least.
_MOST, _LEAST = 2**26, 2**15


def identity_of(image: Path, layers: Sequence[Path] = ()) -> dict[str, Any]:
    """Describe an image, the layers beside it and all of their files, as JSON values.

    Raises:
        OSError: a file cannot be read.
    """
    image = _absolute(image)
    files = files_of([image, *(_absolute(layer) for layer in layers)])
    most = _share(len(files))
    described = {str(file): list(astuple(Input.of(file, most=most))) for file in files}
    return {"image": str(image), "files": described}


def is_unchanged(image: Path, identity: Mapping[str, Any]) -> bool:
    """Whether an image is what `identity_of` described earlier, there or where it was moved to.

    A file that is listed and is no more, or was changed, or has another beside it that GDAL would
    take into account, makes it another image.
    """
    before, here = Path(identity["image"]), _absolute(image)
    known = {
        _moved(Path(name), before, here): Input(*file) for name, file in identity["files"].items()
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
        status = file.stat()
        if (status.st_size, status.st_mtime_ns) != (before.size, before.modified):
            return False
        return Input.of(file, before, most).digest == before.digest
    except OSError:
        return False


def _absolute(image: Path) -> Path:
    return image if is_virtual(image) else file_of(image)[0].absolute()


def _share(files: int) -> int:
    """Return how many bytes of each file are read."""
    return max(_LEAST, _MOST // max(1, files))
