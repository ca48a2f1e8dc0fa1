"""Finding the scenes of a profile's sources: their files, names and folders."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from landslide_cli.dataset.blocks import blocks_folder, divided_scenes
from landslide_cli.dataset.files import PREPARE_RECORD
from landslide_cli.dataset.layers import LayerFinder
from landslide_cli.dataset.scenes import Scene, background_scenes, labelled_scenes
from landslide_cli.dataset.tiles import IMAGES, MASKS, TILES
from landslide_cli.errors import DataError, ProfileError, counted, listed
from landslide_cli.profile import Profile
from landslide_cli.records import Input, Record

SCENES = "scenes"
LABELS = "labels"


def synthetic_folder(profile: Profile, source: int = 0) -> Path:
    """Return the folder that the scenes of a synthetic source are drawn into."""
    return _folder_of_source(profile, SCENES, source)


def labels_folder(profile: Profile, source: int = 0) -> Path:
    """Return the folder of the masks that the polygons of `source.labels` are drawn into."""
    return _folder_of_source(profile, LABELS, source)


def label_mask(folder: Path, scene: str) -> Path:
    """Return the mask of a scene in a folder of `labels_folder`."""
    return folder / f"{scene}.tif"


def _folder_of_source(profile: Profile, name: str, source: int) -> Path:
    is_list = len(profile.sources) > 1
    return profile.dataset / (f"{name}-{source + 1}" if is_list else name)


def source_name(profile: Profile, source: int) -> str:
    """Name a source in messages: by its name, or else by its position."""
    return f"source {profile.sources[source].name or source + 1}"


def labelled_scenes_of(
    profile: Profile, limit: int | None = None, checked: bool = True
) -> list[Scene]:
    """List the labelled scenes as `delivered_scenes_of` does; of divided ones the blocks.

    Raises:
        ProfileError: the profile names no source.
        DataError: likewise; or scenes are not divided yet.
    """
    return divided_scenes(profile, delivered_scenes_of(profile, limit, checked=checked))


def delivered_scenes_of(
    profile: Profile, limit: int | None = None, are_drawn: bool = True, checked: bool = True
) -> list[Scene]:
    """List the labelled scenes of the profile's sources, in their order, and of each by name.

    Scenes of a named source have its name before theirs; so have those of an unnamed one, by its
    position, whose names an earlier source has already.

    Args:
        profile: its `source` and `dataset` are used.
        limit: take only the first of each source, by name.
        are_drawn: whether the masks of `source.labels` must be there.
        checked: whether the headers of all files are read, to find those that cannot be used.

    Raises:
        ProfileError: the profile names no source.
        DataError: the files are missing or cannot be used, or synthetic scenes are not drawn yet.
    """
    scenes: dict[str, Scene] = {}
    for index, source in enumerate(profile.sources):
        try:
            found = _scenes_of(profile, index, limit, are_drawn, checked)
        except DataError as error:
            if len(profile.sources) == 1:
                raise
            raise DataError(f"{source_name(profile, index)}: {error}") from error
        is_taken = any(scene.name in scenes for scene in found)
        prefix = source.name or (f"source{index + 1}" if is_taken else None)
        finder = LayerFinder(source.layers or {}, profile.layer_names, source.images)
        for scene in found:
            name = scene.name if prefix is None else f"{prefix}-{scene.name}"
            if name in scenes:
                raise DataError(
                    f"{scenes[name].image} and {scene.image} are both called {name}; give "
                    f"{profile.source_keys[index]} another name"
                )
            layers = finder.of(scene.image)
            scenes[name] = replace(scene, name=name, source=index, layers=layers)
    return list(scenes.values())


def _scenes_of(
    profile: Profile, index: int, limit: int | None, are_drawn: bool, checked: bool
) -> list[Scene]:
    source, key = profile.sources[index], profile.source_keys[index]
    if source.synthetic is not None:
        folder = synthetic_folder(profile, index)
        if not folder.is_dir():
            raise DataError(f"{folder}: no scenes drawn yet; run `landslide prepare` first")
        drawn = str(folder / IMAGES), str(folder / MASKS)
        return labelled_scenes(*drawn, limit, checked=checked)
    if source.labels is not None and source.images is not None:
        folder = labels_folder(profile, index)
        scenes = background_scenes(source.images, limit, source.key, checked)
        scenes = [replace(scene, mask=label_mask(folder, scene.name)) for scene in scenes]
        masks = [scene.mask for scene in scenes if scene.mask is not None]
        if are_drawn and not all(mask.exists() for mask in masks):
            raise DataError(
                f"{folder}: no masks of {key}.labels for all scenes; run `landslide prepare` first"
            )
        return scenes
    if source.images is None or source.masks is None:
        raise ProfileError(
            f"the profile names no scenes: set {key}.images and {key}.masks, "
            f"for example with --set {key}.images='data/Landslide*.tif'"
        )
    if source.is_background:
        return background_scenes(source.images, limit, source.key, checked)
    return labelled_scenes(source.images, source.masks, limit, source.key, source.mask_key, checked)


def scenes_named(profile: Profile, names: Sequence[str], checked: bool = True) -> list[Scene]:
    """Return the labelled scenes of the given names, in their order.

    Args:
        profile: its `source` and `dataset` are used.
        names: of scenes.
        checked: as of `delivered_scenes_of`.

    Raises:
        ProfileError: the profile names no source.
        DataError: the source no longer has all of them.
    """
    by_name = {scene.name: scene for scene in labelled_scenes_of(profile, checked=checked)}
    missing = [name for name in names if name not in by_name]
    if missing:
        raise DataError(f"the source no longer has the scenes {listed(missing, most=3)}")
    return [by_name[name] for name in names]


def source_of_scenes(profile: Profile, names: Sequence[str]) -> dict[str, int]:
    """Return the position of each scene's source; a single source needs no look at its files.

    Raises:
        DataError: a source's files are missing, or no longer have all scenes.
    """
    if len(profile.sources) == 1:
        return dict.fromkeys(names, 0)
    return {scene.name: scene.source for scene in scenes_named(profile, names, checked=False)}


def changed_since_prepare(profile: Profile) -> list[str]:
    """Say, if so, that scenes, masks and layers are no longer what `prepare` has seen.

    Only files whose size or times differ are read. What is gone is not told: tiles do without it.

    Raises:
        DataError: a record of `prepare` is damaged.
    """
    folders = [profile.dataset / TILES]
    folders += [labels_folder(profile, index) for index in range(len(profile.sources))]
    folders.append(blocks_folder(profile))
    changed: dict[str, None] = {}
    for folder in folders:
        record = Record.read(folder / PREPARE_RECORD)
        for name, before in (record.inputs if record is not None else {}).items():
            with suppress(OSError):
                if Input.of(Path(name), before).digest != before.digest:
                    changed[name] = None
    if not changed:
        return []
    names = listed(list(changed), most=3)
    return [
        f"{counted(len(changed), 'file')} changed since `landslide prepare` ({names}): what it "
        "made is of the old ones; `landslide prepare --overwrite` makes it anew"
    ]
