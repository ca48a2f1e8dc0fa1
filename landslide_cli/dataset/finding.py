"""Files by name, folder or pattern. A name that is there is never a pattern, whatever it has in it.

`scene[1].tif` is that file, and `areas [old]/*.tif` are those of that folder; only where there is
no such file or folder do the brackets mean `scene1.tif`. Some systems write a letter such as `ü` as
two characters, a `u` and its dots; a name is the same in either form.
"""

import fnmatch
import glob
import os
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from landslide_cli.dataset.files import MAPS_RECORD
from landslide_cli.documents import read_json
from landslide_cli.errors import DataError, listed
from landslide_cli.imagery.raster.addresses import in_archive, is_virtual
from landslide_cli.imagery.raster.recognition import SUFFIXES, is_hidden, is_image, is_map

Form = Callable[[str], str]


def composed(name: str) -> str:
    """Return a name with each letter and its marks as one character; only to compare by."""
    return unicodedata.normalize("NFC", name)


def regardless_of_case(name: str) -> str:
    """Return a name to compare by where capitals are not told from small letters."""
    return composed(name).casefold()


@dataclass(frozen=True)
class Found:
    """What a name, a folder or a pattern stands for, by name.

    `maps` are this program's own of an earlier run, and `others` rasters of no image's type, such
    as elevations: both are left out of `scenes`.
    """

    scenes: list[Path] = field(default_factory=list)
    maps: list[Path] = field(default_factory=list)
    others: list[Path] = field(default_factory=list)

    @property
    def left_out(self) -> str | None:
        """Say what is left out, if anything is."""
        said = []
        if self.maps:
            names = listed([path.name for path in self.maps], most=3)
            said.append(f"maps and pictures of an earlier run ({names})")
        if self.others:
            names = listed([path.name for path in self.others], most=3)
            said.append(f"rasters of other types than 8 and 16 bits ({names})")
        return " and ".join(said) or None


def find_scenes(pattern: str) -> Found:
    """Find the scenes that a name, a folder or a pattern stands for.

    A file that is named by its own name is one in any case. Of folders and patterns, hidden files,
    what lies beside rasters and this program's own maps are none.

    Raises:
        OSError: the folder cannot be listed.
    """
    path = existing(pattern)
    if path is not None and not path.is_dir():
        return Found([path])
    found, recorded = Found(), _Recorded()
    for file, is_one in _images(pattern):
        is_own = is_map(file) or recorded.has(file)
        kind = found.maps if is_own else found.scenes if is_one else found.others
        kind.append(file)
    return found


def find_files(pattern: str) -> list[Path]:
    """List the images that a name, a folder or a pattern (`**`: folders) stands for, by name.

    As `find_scenes`, but maps of this program may be among them: they may serve as masks.

    Raises:
        OSError: the folder cannot be listed.
    """
    path = existing(pattern)
    if path is not None and not path.is_dir():
        return [path]
    return [file for file, is_one in _images(pattern) if is_one]


def images_in(folder: Path) -> list[Path]:
    """List the files of a folder that are images by their suffixes, by name; no hidden ones."""
    return sorted(
        path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES and not is_hidden(path)
    )


def existing(pattern: str) -> Path | None:
    """Return the file or folder of this very name, if there is one, as its folder writes it."""
    if is_virtual(pattern) and not os.path.lexists(pattern):
        # GDAL knows whether there is one.
        return Path(pattern) if _archived(pattern) is None else None
    for name in (pattern, os.path.expanduser(pattern)):  # noqa: PTH111 - never an error
        if os.path.lexists(name):
            return Path(name)
    path, rest = divided(pattern)
    return path if path.parts and not rest and os.path.lexists(path) else None


def divided(pattern: str, form: Form = composed) -> tuple[Path, tuple[str, ...]]:
    """Divide a pattern into the folder that it begins with and the parts from a wildcard on."""
    parts = Path(os.path.expanduser(pattern)).parts  # noqa: PTH111 - never an error
    folder = Path()
    for index, part in enumerate(parts):
        name = _written(part, folder, form)
        if name is None and glob.has_magic(part):
            return folder, parts[index:]
        folder /= name or part
    return folder, ()


def differing_in_case(pattern: str) -> list[Path]:
    """List what a name or a pattern would stand for in addition in other capitals."""
    exactly = set(_matching(*divided(pattern)))
    alike = _matching(*divided(pattern, regardless_of_case), regardless_of_case)
    return [path for path in alike if path not in exactly]


def _images(pattern: str) -> Iterator[tuple[Path, bool]]:
    """Yield the images of a folder or a pattern; and, as False, rasters that are none."""
    folder = existing(pattern)
    suffix = "" if folder is not None else Path(pattern).suffix
    matched = _archived(pattern)
    if matched is None:
        matched = sorted(folder.iterdir()) if folder is not None else _matching(*divided(pattern))
    for path in dict.fromkeys(matched):
        # Who writes `*.dat` means those files, even one that cannot be read.
        is_meant = suffix != "" and suffix == path.suffix and not path.is_dir()
        kind = True if is_meant else is_image(path)
        if kind is not False:
            yield path, kind is True


def _matching(folder: Path, parts: Sequence[str], form: Form = composed) -> list[Path]:
    """List what the parts of a pattern match below a folder, in order."""
    if not parts:
        return [folder] if os.path.lexists(folder) else []
    head, rest = parts[0], parts[1:]
    if head == "**":
        below = _folders_from(folder)
        return sorted({path for base in below for path in _matching(base, rest or ("*",), form)})
    name = _written(head, folder, form)
    names = [name] if name is not None else _matched(head, folder, form)
    return [path for name in names for path in _matching(folder / name, rest, form)]


def _archived(pattern: str) -> list[Path] | None:
    """List what a pattern, or a folder of several files, stands for in an archive.

    None for other patterns, and for a name that GDAL opens itself.
    """
    parts = Path(pattern).parts
    first = next((i for i, part in enumerate(parts) if glob.has_magic(part)), len(parts))
    folder = Path(*parts[:first])
    members = in_archive(folder) if is_virtual(pattern) else None
    if members is None or Path(pattern) in members:
        return None
    wanted = parts[first:] or ("*",)
    found = [path for path in members if _fits(path.parts[first:], wanted)]
    return None if first == len(parts) and len(found) < 2 else sorted(found)


def _fits(names: Sequence[str], parts: Sequence[str]) -> bool:
    """Whether the names of a file and of its folders match the parts of a pattern."""
    if not parts or not names:
        return not parts and not names
    if parts[0] == "**":
        return any(_fits(names[i:], parts[1:] or ("*",)) for i in range(len(names)))
    is_one = fnmatch.fnmatchcase(composed(names[0]), composed(parts[0]))
    return is_one and _fits(names[1:], parts[1:])


def _written(name: str, folder: Path, form: Form) -> str | None:
    """Return how a folder writes a name; None if there is none such in it."""
    if os.path.lexists(folder / name):
        return name
    wanted = form(name)
    return next((entry for entry in _names(folder) if form(entry) == wanted), None)


def _matched(pattern: str, folder: Path, form: Form) -> list[str]:
    """List the names in a folder that a pattern without folders matches; hidden ones on demand."""
    wanted = form(pattern)
    return [
        name
        for name in _names(folder)
        if fnmatch.fnmatchcase(form(name), wanted)
        and (wanted.startswith(".") or not name.startswith("."))
    ]


def _names(folder: Path) -> list[str]:
    """List the names in a folder, in order; none where it cannot be read."""
    try:
        return sorted(os.listdir(folder))  # noqa: PTH208 - names
    except (OSError, ValueError):
        return []


def _folders_from(folder: Path, above: frozenset[str] = frozenset()) -> Iterator[Path]:
    """Yield a folder and those below it but hidden ones; links that lead up again are left out."""
    place = os.path.realpath(folder)
    if place in above or not folder.is_dir():
        return
    yield folder
    for name in _names(folder):
        if not name.startswith("."):
            yield from _folders_from(folder / name, above | {place})


class _Recorded:
    """The maps that records name: those of older versions carry no mark."""

    def __init__(self) -> None:
        self._maps: dict[Path, dict[str, list[int]]] = {}

    def has(self, path: Path) -> bool:
        """Whether a record beside the file says that it is a map, and it is as it was written."""
        folder = path.parent
        if folder not in self._maps:
            self._maps[folder] = _recorded_maps(folder / MAPS_RECORD)
        state = self._maps[folder].get(path.name)
        if state is None or not path.exists():
            return False
        status = path.stat()
        return [status.st_size, status.st_mtime_ns] == state


def _recorded_maps(record: Path) -> dict[str, list[int]]:
    """Return size and time of the maps in a folder; none where the record cannot be read."""
    try:
        document = read_json(record) or {}
        scenes = document.get("scenes", {}).values()
        return {name: state for scene in scenes for name, state in scene["files"].items()}
    except (DataError, KeyError, AttributeError, TypeError):
        return {}
