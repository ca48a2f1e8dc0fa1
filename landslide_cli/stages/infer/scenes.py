"""Which scenes are mapped, under which names, and which of those asked for cannot be."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from landslide_cli.dataset.finding import differing_in_case, existing, find_scenes
from landslide_cli.dataset.scenes import Scene
from landslide_cli.dataset.sources import labelled_scenes_of
from landslide_cli.dataset.split_record import scene_names
from landslide_cli.errors import DataError, LandslideError, OutputError, in_lines, listed, printable
from landslide_cli.imagery.raster.recognition import array_in, is_map, require_file, stem_of
from landslide_cli.profile import Profile
from landslide_cli.reporting import Reporter
from landslide_cli.stages.infer.folder import MapFolder
from landslide_cli.stages.infer.result import FailedScene

# Formats of quick looks: of a scene in two formats, the other is mapped.
_PICTURES = (".jpg", ".jpeg", ".png", ".gif", ".bmp", ".webp")


@dataclass(frozen=True)
class SceneFile:
    """A scene to be mapped; its maps are called `name` and a suffix."""

    name: str
    image: Path


@dataclass(frozen=True)
class SceneChoice:
    """The scenes to map, and those asked for that cannot be, with the reasons."""

    scenes: list[SceneFile] = field(default_factory=list)
    refused: list[FailedScene] = field(default_factory=list)

    def refuse(self, name: str, image: Path, error: Exception) -> None:
        """Take a scene for one that cannot be mapped."""
        self.refused.append(FailedScene(printable(name), image, str(error)))


def choose_scenes(
    profile: Profile, patterns: Sequence[str], limit: int | None, reporter: Reporter
) -> SceneChoice:
    """Find the scenes to map.

    Args:
        profile: its source's scenes in the test part are taken where no patterns are given, or all
            of them where there is no split; of divided ones those with a block there.
        patterns: names of files and folders, and globs.
        limit: take only the first.
        reporter: told what is left out.

    Raises:
        DataError: there is none at all.
    """
    choice = SceneChoice()
    key = profile.sources[0].key
    asked = _asked(patterns, key, choice, reporter) if patterns else _scenes_of(profile)
    files = list({_place(scene.image): scene for scene in asked}.values())[:limit]
    taken: dict[str, Path] = {}
    for scene in files:
        try:
            require_file(scene.image)
            _require_own_name(scene, taken)
            choice.scenes.append(scene)
        except DataError as error:
            choice.refuse(scene.name, scene.image, error)
    if not files:
        raise DataError(_together([scene.reason for scene in choice.refused]) or "no scenes")
    return choice


def protect_maps(choice: SceneChoice, folder: MapFolder, overwrite: bool) -> SceneChoice:
    """Leave out scenes whose maps would replace those of another image, or foreign files.

    Raises:
        OutputError: no scene remains.
    """
    kept = SceneChoice(refused=choice.refused)
    errors = []
    for scene in choice.scenes:
        try:
            if not overwrite:
                folder.refuse_another_image(scene.name, scene.image)
            folder.refuse_overwrite([scene.name], overwrite)
            kept.scenes.append(scene)
        except OutputError as error:
            errors.append(error)
            kept.refuse(scene.name, scene.image, error)
    if errors and not kept.scenes:
        raise OutputError(_together([str(error) for error in errors]))
    return kept


def _together(reasons: Sequence[str]) -> str:
    return reasons[0] if len(reasons) == 1 else in_lines(reasons)


def _asked(
    patterns: Sequence[str], key: str | None, choice: SceneChoice, reporter: Reporter
) -> list[SceneFile]:
    """List the scenes of all patterns; refuse patterns that there are no scenes for.

    Maps of this program are left out even where they are named, as a shell does by `scenes/*.tif`,
    unless nothing else is.
    """
    scenes: list[Path] = []
    maps: list[Path] = []
    for pattern in patterns:
        try:
            found = find_scenes(pattern)
            if not found.scenes:
                raise DataError(_why_none(pattern, found.left_out))
        except (LandslideError, OSError) as error:
            choice.refuse(pattern, Path(pattern), error)
            continue
        if found.left_out:
            reporter.note(f"{pattern}: left out {found.left_out}")
        is_own = found.scenes == [existing(pattern)] and is_map(found.scenes[0])
        kept = maps if is_own else scenes
        kept += sorted(found.scenes, key=lambda path: (path.with_suffix(""), _is_picture(path)))
    if maps and scenes:
        names = listed([path.name for path in maps], most=3)
        reporter.note(f"left out maps and pictures of an earlier run ({names})")
    elif maps:
        reporter.warn(f"{maps[0]}: is a map of this program, and mapped as it is named")
    return [SceneFile(stem_of(path), array_in(path, key)) for path in scenes or maps]


def _is_picture(path: Path) -> bool:
    """Whether a file may be the reduced copy of a raster of the same name."""
    return path.suffix.lower() in _PICTURES


def _why_none(pattern: str, left_out: str | None) -> str:
    shown = printable(pattern)
    if left_out:
        return f"{shown}: no scenes, only {left_out}; name files to map them"
    if existing(pattern) is not None:
        return f"{shown}: no image in this folder; for those in folders below it: {shown}/**"
    if alike := differing_in_case(pattern):
        return f"{shown}: no such image, but {printable(alike[0])} in other capitals"
    return f"{shown}: no such image; name files, folders or globs"


def _scenes_of(profile: Profile) -> list[SceneFile]:
    """List the profile's own scenes, for a command that names none."""
    try:
        return _test_scenes(profile)
    except DataError as error:
        raise DataError(
            f"{error};\nfor scenes of your own, run `landslide infer-tiled SCENE.tif`"
        ) from None


def _test_scenes(profile: Profile) -> list[SceneFile]:
    """List the labelled scenes to map, each by its file's name, or by its own if that is taken."""
    labelled = labelled_scenes_of(profile)
    names: dict[str, str] = {}
    for scene in labelled:
        names.setdefault(stem_of(_whole(scene).image), _whole(scene).name)
    scenes = [scene for scene in labelled if scene.mask is not None]
    test = scene_names(profile, "test")
    if test is not None:
        scenes = [scene for scene in scenes if scene.name in set(test)]
    return [
        SceneFile(
            stem_of(scene.image) if names[stem_of(scene.image)] == scene.name else scene.name,
            scene.image,
        )
        for scene in map(_whole, scenes)
    ]


def _whole(scene: Scene) -> Scene:
    """Return the scene that a block is of: maps have no seams between blocks."""
    return scene.whole or scene


def _require_own_name(scene: SceneFile, taken: dict[str, Path]) -> None:
    first = taken.setdefault(scene.name, scene.image)
    if first != scene.image:
        raise DataError(
            f"{scene.image}: {first} is mapped as {scene.name}_mask.tif, too; map one of them by "
            "itself with another --output"
        )


def _place(path: Path) -> str:
    """Return where a file lies, the same for all spellings of its folder."""
    return os.path.join(os.path.realpath(path.parent), path.name)  # noqa: PTH118 - of any path
