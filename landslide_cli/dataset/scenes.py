"""Scenes and their masks on disk, paired by name."""

import os
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from landslide_cli.core.tiling.division import Division
from landslide_cli.dataset.finding import differing_in_case, existing, find_files, find_scenes
from landslide_cli.dataset.layers import LayerFiles
from landslide_cli.dataset.pairing import keyed, names_of, paired, partnerless, wildcards
from landslide_cli.errors import DataError, LandslideError, in_lines, listed
from landslide_cli.imagery.raster.images import probe
from landslide_cli.imagery.raster.laying import lies_elsewhere
from landslide_cli.imagery.raster.recognition import SUFFIXES, array_in, file_of, is_hidden


@dataclass(frozen=True)
class Scene:
    """A whole image as delivered, with its mask; without one, all of it is background.

    `source` is the position of its source in the profile, `layers` are the files beside the image
    that bands are read from, by the names of the layers. A block of a scene is one too, with its
    `division` of the `whole`.
    """

    name: str
    image: Path
    mask: Path | None
    source: int = 0
    layers: LayerFiles = ()
    division: Division | None = None
    whole: "Scene | None" = None

    @property
    def files(self) -> list[Path]:
        """The files of the image, of the mask if there is one, and of the layers."""
        layers = [Path(path) for _, path in self.layers]
        return [file_of(path)[0] for path in (*self.rasters, *layers)]

    @property
    def rasters(self) -> list[Path]:
        """The image, and the mask if there is one."""
        return [self.image] if self.mask is None else [self.image, self.mask]


def labelled_scenes(
    images: str,
    masks: str,
    limit: int | None = None,
    key: str | None = None,
    mask_key: str | None = None,
    checked: bool = True,
) -> list[Scene]:
    """Find images and masks, pair them, and check their headers.

    An image and a mask are a pair if the wildcards of the two globs match the same text. Where the
    globs differ in their number of wildcards, or are folders, they are a pair if their names
    without suffix are equal, or if those of all masks are equal to them but for one beginning and
    one ending, such as `_mask`. Names that differ in case alone are equal where no others are. A
    file that the masks' glob matches is never an image, unless the two are arrays in it.

    Args:
        images: glob or folder of the images.
        masks: glob or folder of the masks.
        limit: use only the first images, by name, and check no other file.
        key: the array in files of arrays that is the image.
        mask_key: likewise of masks.
        checked: whether headers are read, which takes most of the time.

    Returns:
        The scenes, in the order of their names.

    Raises:
        DataError: a glob matches nothing, files have no partner or two, or cannot be read, or a
            mask does not lie on its image; up to ten of these files are named.
    """
    mask_files = find_files(masks)
    are_masks = {
        os.path.realpath(path)
        for path in mask_files
        if None in (key, mask_key) or array_in(path, key) == array_in(path, mask_key)
    }
    image_files = [p for p in _scenes_at(images) if os.path.realpath(p) not in are_masks]
    if not mask_files:
        raise _none_found(masks)
    if not image_files:
        raise DataError(
            f"{images}: no image found that {masks} does not take for a mask;\n"
            "set source.masks to a pattern that only masks match, such as *_mask.png"
        )
    image_keys, mask_keys = paired(image_files, images, mask_files, masks)
    names = names_of(image_keys)
    wanted = sorted(image_keys, key=names.__getitem__)[:limit]
    scenes = [
        Scene(names[k], array_in(image_keys[k], key), array_in(mask_keys[k], mask_key))
        for k in wanted
        if k in mask_keys
    ]
    strays = partnerless(image_keys, mask_keys, wanted, is_whole=limit is None)
    if not scenes and not strays.contested:
        raise _no_pair(images, masks, image_files[0], mask_files[0])
    problems = [*strays.contested, *strays.alone]
    problems += _problems(scenes, decode=False) if checked else []
    if problems:
        # Decode all files now, so that the error names every damaged one.
        raise bad_files({*problems, *_problems(scenes, decode=True)})
    return scenes


def _no_pair(images: str, masks: str, image: Path, mask: Path) -> DataError:
    return DataError(
        f"{images} and {masks}: no image and mask are called alike, as {image.name} and "
        f"{mask.name};\nset source.images and source.masks to patterns whose wildcards match the "
        f"same text, such as {image.parent}/*{image.suffix} and {mask.parent}/*_mask{mask.suffix}"
    )


def background_scenes(
    images: str, limit: int | None = None, key: str | None = None, checked: bool = True
) -> list[Scene]:
    """Find images that have no masks, as all of them is background, and check their headers.

    Args:
        images: glob or folder of the images.
        limit: use only the first images, by name.
        key: the array in files of arrays that is the image.
        checked: whether headers are read.

    Raises:
        DataError: the glob matches nothing, or files cannot be read.
    """
    files = _scenes_at(images)
    by_key = keyed(files, images if wildcards(images) else None)
    names = names_of(by_key)
    wanted = sorted(by_key, key=names.__getitem__)[:limit]
    scenes = [Scene(names[own], array_in(by_key[own], key), None) for own in wanted]
    problems = _problems(scenes, decode=False) if checked else []
    if problems:
        raise bad_files({*problems, *_problems(scenes, decode=True)})
    return scenes


def bad_files(problems: Collection[str]) -> DataError:
    """Combine the problems of several files into one error, with a line for each of the first."""
    each = sorted(set(problems))  # scenes share layers
    if len(each) == 1:
        return DataError(each[0])
    return DataError(f"{len(each)} files cannot be used:\n{in_lines(each)}")


def _scenes_at(images: str) -> list[Path]:
    found = find_scenes(images)
    if not found.scenes:
        raise _none_found(images, found.left_out)
    return found.scenes


def _none_found(pattern: str, left_out: str | None = None) -> DataError:
    folder = existing(pattern)
    below = [] if folder is None or not folder.is_dir() else _images_below(folder)
    if below:
        folders = sorted({str(path.parent.relative_to(folder or "")) for path in below})
        return DataError(
            f"{pattern}: no image found in it, but in folders below ({listed(folders, most=3)}); "
            f"write {pattern}/**/*{below[0].suffix}"
        )
    but = f", only {left_out}" if left_out else ""
    if alike := [] if left_out else differing_in_case(pattern):
        return DataError(
            f"{pattern}: no image found, but {alike[0]} in other capitals;\n"
            "write the pattern as the files are called, such as *.[tT][iI][fF] for both"
        )
    return DataError(f"{pattern}: no image found{but}; check the glob in the profile's `source`")


def _images_below(folder: Path) -> list[Path]:
    """List images in the folders of a folder, not all of many."""
    found = (path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    return sorted(islice((path for path in found if not is_hidden(path)), 1000))


def _problems(scenes: Sequence[Scene], decode: bool) -> list[str]:
    return [problem for scene in scenes for problem in _problems_of(scene, decode)]


def _problems_of(scene: Scene, decode: bool) -> Iterator[str]:
    headers = []
    for path in scene.rasters:
        try:
            headers.append(probe(path, decode))
        except LandslideError as error:
            yield str(error)
    if scene.mask is not None and len(headers) == 2:
        image, mask = headers
        problem = lies_elsewhere(scene.mask, mask, image)
        if problem is not None:
            yield problem
