"""What to type instead: the commands that messages name after a common mistake."""

import re
import shlex
from collections.abc import Sequence
from pathlib import Path

from landslide_cli.errors import UsageError, listed, printable

# The name of the packaged profile.
_PACKAGED = "landslide"

_PROFILES = (".yaml", ".yml")

# Of images; those of `imagery.raster.recognition`, without importing rasterio for a message.
IMAGES = frozenset(
    {
        *(".png", ".jpg", ".jpeg", ".tif", ".tiff", ".jp2", ".j2k", ".vrt", ".bmp"),
        *(".webp", ".gif", ".h5", ".hdf5", ".npz"),
    }
)

# A command in backticks that a message tells to run.
_STEP = re.compile(
    r"(?<=run |hen )`landslide (?P<name>[a-z-]+)(?P<first>[^`]*)`"
    r"|`landslide (?P<other>[a-z-]+)(?P<rest>[^`]*)`(?= makes | again)"
)

# Names of scenes that are repeated in a message.
_MOST = 3


def with_profile(message: str, profile: Path, overrides: Sequence[str]) -> str:
    """Complete the commands that a message tells to run by the profile, as they are to be typed."""

    def typed(step: re.Match[str]) -> str:
        name, rest = step["name"] or step["other"], step["first"] or step["rest"] or ""
        return f"`{_typed(name, profile, overrides)}{rest}`"

    return _STEP.sub(typed, message)


def refuse_what_is_no_profile(
    path: Path, command: str, scenes: Sequence[str], overrides: Sequence[str]
) -> None:
    """Refuse an image or a folder where the profile should be, with the command to type.

    Args:
        path: given as the profile.
        command: that was typed.
        scenes: given after it, for `infer-tiled`.
        overrides: likewise.

    Raises:
        UsageError: it is one.
    """
    if path.is_dir() and path.as_posix() != _PACKAGED:
        raise UsageError(
            f"{printable(path)}: is a folder, not a profile; {_instead(path, command)}"
        )
    if path.suffix.lower() not in IMAGES:
        return
    problem = f"{printable(path)}: is an image, and the profile comes first"
    if command == "infer-tiled":
        words = [*map(shlex.quote, [printable(path), *scenes][:_MOST])]
        words += ["..."] if len(scenes) >= _MOST else []
        typed = " ".join([_typed(command, Path(_PACKAGED), overrides), *words])
        raise UsageError(f"{problem}; type: {typed}")
    raise UsageError(f"{problem}; {_begin(path)}")


def of_missing_profile(command: str) -> str:
    """Say that no profile was named, and what to type."""
    problem = "no profile named"
    profiles = _profiles_in(Path())
    if len(profiles) == 1:
        return f"{problem}; type: {_typed(command, profiles[0])}"
    if profiles:
        names = listed([printable(path) for path in profiles], most=_MOST)
        return f"{problem}; type: landslide {command} PROFILE, such as {names}"
    if command == "infer-tiled":
        return f"{problem}; with the packaged one: landslide infer-tiled landslide SCENE.tif"
    return f"{problem}; {_begin()}"


def _instead(folder: Path, command: str) -> str:
    profiles = [folder / "profile.yaml"] if (folder / "profile.yaml").is_file() else []
    profiles = profiles or _profiles_in(folder)
    if len(profiles) == 1:
        return f"type: {_typed(command, profiles[0])}"
    if profiles:
        names = listed([printable(path) for path in profiles], most=_MOST)
        return f"type: landslide {command} PROFILE, with one of {names}"
    if command == "infer-tiled":
        scenes = shlex.quote(printable(folder))
        return f"for the scenes in it, type: landslide infer-tiled landslide {scenes}"
    return _begin(folder)


def _begin(images: Path | None = None) -> str:
    name = "IMAGES" if images is None else shlex.quote(printable(images))
    return f"write one by: landslide prepare my.yaml --init {name} MASKS"


def _profiles_in(folder: Path) -> list[Path]:
    try:
        files = [path for path in folder.iterdir() if path.suffix.lower() in _PROFILES]
    except OSError:
        return []
    return sorted(path for path in files if not path.name.startswith("."))


def _typed(command: str, profile: Path, overrides: Sequence[str] = ()) -> str:
    words = ["landslide", command, printable(profile)]
    words += [word for override in overrides for word in ("--set", override)]
    return shlex.join(words)
