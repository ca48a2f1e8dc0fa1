"""Scenes and their masks on disk, paired by name."""

import os
import re
import unicodedata
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from landslide_cli.dataset.finding import divided, existing, find_files, find_scenes
from landslide_cli.errors import DataError, LandslideError, listed
from landslide_cli.imagery.raster.images import probe
from landslide_cli.imagery.raster.laying import lies_elsewhere
from landslide_cli.imagery.raster.recognition import SUFFIXES, is_hidden

Key = tuple[str, ...]


@dataclass(frozen=True)
class Scene:
    """A whole image as delivered, with its mask; without one, all of it is background.

    `source` is the position of its source in the profile.
    """

    name: str
    image: Path
    mask: Path | None
    source: int = 0

    @property
    def files(self) -> list[Path]:
        """The image, and the mask if there is one."""
        return [self.image] if self.mask is None else [self.image, self.mask]


def labelled_scenes(images: str, masks: str, limit: int | None = None) -> list[Scene]:
    """Find images and masks, pair them, and check their headers.

    An image and a mask are a pair if the wildcards of the two globs match the same text. Where the
    globs differ in their number of wildcards, or are folders, they are a pair if their names
    without suffix are equal, or if those of all masks are equal to them but for one beginning and
    one ending, such as `_mask`. A file that the masks' glob matches is never an image.

    Args:
        images: glob or folder of the images.
        masks: glob or folder of the masks.
        limit: use only the first images, by name, and check no other file.

    Returns:
        The scenes, in the order of their names.

    Raises:
        DataError: a glob matches nothing, files have no partner or cannot be read, or a mask does
            not lie on its image; up to ten of these files are named.
    """
    mask_files = find_files(masks)
    are_masks = {path.resolve() for path in mask_files}
    image_files = [path for path in _scenes_at(images) if path.resolve() not in are_masks]
    for pattern, files in ((images, image_files), (masks, mask_files)):
        if not files:
            raise _none_found(pattern)
    image_keys, mask_keys = _keys(image_files, images, mask_files, masks)
    names = _names(image_keys)
    wanted = sorted(image_keys, key=names.__getitem__)[:limit]
    scenes = [Scene(names[k], image_keys[k], mask_keys[k]) for k in wanted if k in mask_keys]
    problems = [f"{image_keys[key]} has no mask" for key in wanted if key not in mask_keys]
    if limit is None:
        spare = mask_keys.keys() - image_keys.keys()
        problems += [f"{mask_keys[key]} has no image" for key in spare]
    problems += _problems(scenes, decode=False)
    if not scenes:
        raise _no_pair(images, masks, image_files[0], mask_files[0])
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


def background_scenes(images: str, limit: int | None = None) -> list[Scene]:
    """Find images that have no masks, as all of them is background, and check their headers.

    Args:
        images: glob or folder of the images.
        limit: use only the first images, by name.

    Raises:
        DataError: the glob matches nothing, or files cannot be read.
    """
    files = _scenes_at(images)
    keys = _keyed(files, images if _wildcards(images) else None)
    names = _names(keys)
    wanted = sorted(keys, key=names.__getitem__)[:limit]
    scenes = [Scene(names[key], keys[key], None) for key in wanted]
    problems = _problems(scenes, decode=False)
    if problems:
        raise bad_files({*problems, *_problems(scenes, decode=True)})
    return scenes


def bad_files(problems: Collection[str]) -> DataError:
    """Combine the problems of several files into one error."""
    if len(problems) == 1:
        return DataError(next(iter(problems)))
    texts = [" ".join(problem.split()) for problem in sorted(problems)]
    return DataError(f"{len(texts)} files cannot be used:\n{listed(texts)}")


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
    return DataError(f"{pattern}: no image found{but}; check the glob in the profile's `source`")


def _images_below(folder: Path) -> list[Path]:
    """List images in the folders of a folder, not all of many."""
    found = (path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    return sorted(islice((path for path in found if not is_hidden(path)), 1000))


def _keys(
    image_files: Sequence[Path], images: str, mask_files: Sequence[Path], masks: str
) -> tuple[dict[Key, Path], dict[Key, Path]]:
    """Key both lists by the text that the wildcards match if any of it agrees, else by name."""
    if _wildcards(images) == _wildcards(masks) > 0:
        image_keys, mask_keys = _keyed(image_files, images), _keyed(mask_files, masks)
        if image_keys.keys() & mask_keys.keys():
            return image_keys, mask_keys
    image_keys, mask_keys = _keyed(image_files, None), _keyed(mask_files, None)
    if not image_keys.keys() & mask_keys.keys():
        mask_keys = _without_affixes(image_keys, mask_keys)
    return image_keys, mask_keys


def _without_affixes(images: Mapping[Key, Path], masks: Mapping[Key, Path]) -> dict[Key, Path]:
    """Take from the names of masks the beginning and ending that all have, if images remain."""
    names, first = [text for (text,) in masks], next(iter(masks))[0]

    def bare(text: str, affix: tuple[str, str]) -> str:
        return text[len(affix[0]) : len(text) - len(affix[1])]

    shared = [
        (before, after)
        for before, after in _affixes(first, [name for (name,) in images])
        if all(
            text.startswith(before) and text.endswith(after) and len(before + after) < len(text)
            for text in names
        )
    ]
    if not shared:
        return dict(masks)
    best = max(shared, key=lambda affix: sum((bare(text, affix),) in images for text in names))
    return {(bare(text, best),): path for (text,), path in masks.items()}


def _affixes(text: str, names: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield what is before and after each place at which one of the names is in a text."""
    for name in names:
        start = text.find(name)
        while start >= 0:
            yield text[:start], text[start + len(name) :]
            start = text.find(name, start + 1)


def _keyed(paths: Sequence[Path], pattern: str | None) -> dict[Key, Path]:
    """Return the files by key: the text that the wildcards match, or the name without suffix."""
    matcher = _matcher(pattern) if pattern is not None else None
    keyed: dict[Key, Path] = {}
    for path in paths:
        match = matcher.fullmatch(os.path.normpath(path)) if matcher else None
        parts = match.groups() if match else (path.stem,)
        # Some systems write one letter as two characters: `u` and two dots.
        key = tuple(unicodedata.normalize("NFC", part) for part in parts)
        if key in keyed:
            raise DataError(f"{keyed[key]} and {path} have the same name; narrow the glob")
        keyed[key] = path
    return keyed


def _names(images: Mapping[Key, Path]) -> dict[Key, str]:
    """Name each scene after its image or, where names repeat, after the wildcards' text."""
    stems = [path.stem for path in images.values()]
    if len(set(stems)) == len(stems):
        return {key: path.stem for key, path in images.items()}
    return {key: "-".join(part.strip("/").replace("/", "-") for part in key) for key in images}


def _problems(scenes: Sequence[Scene], decode: bool) -> list[str]:
    return [problem for scene in scenes for problem in _problems_of(scene, decode)]


def _problems_of(scene: Scene, decode: bool) -> Iterator[str]:
    headers = []
    for path in scene.files:
        try:
            headers.append(probe(path, decode))
        except LandslideError as error:
            yield str(error)
    if scene.mask is not None and len(headers) == 2:
        image, mask = headers
        problem = lies_elsewhere(scene.mask, mask, image)
        if problem is not None:
            yield problem


# Adjacent wildcards count as one, so that `???` pairs with `*`.
_WILDCARD = re.compile(r"\*\*/|(?:\*+|\?|\[!?\]?[^\]]*\])+")
_PIECE = re.compile(r"\*+|\?|\[!?\]?[^\]]*\]")


def _wildcards(pattern: str) -> int:
    return len(_WILDCARD.findall("/".join(divided(pattern)[1])))


def _matcher(pattern: str) -> re.Pattern[str]:
    """Translate a glob into a regular expression with a group for each run of wildcards."""
    folder, parts = divided(pattern)
    text, end = "/".join(parts), 0
    pieces = [re.escape(os.path.join(os.path.normpath(folder), ""))] if folder.parts else []  # noqa: PTH118
    for wildcard in _WILDCARD.finditer(text):
        pieces += [re.escape(text[end : wildcard.start()]), _as_group(wildcard.group())]
        end = wildcard.end()
    return re.compile("".join([*pieces, re.escape(text[end:])]))


def _as_group(wildcards: str) -> str:
    if wildcards == "**/":
        return "((?:.*/)?)"
    return f"({''.join(_as_expression(piece) for piece in _PIECE.findall(wildcards))})"


def _as_expression(piece: str) -> str:
    if piece.startswith("["):
        negated = piece.startswith("[!")
        characters = piece[2 if negated else 1 : -1].replace("\\", "\\\\").replace("[", "\\[")
        return f"[{'^' if negated else ''}{characters}]"
    return "[^/]" if piece == "?" else "[^/]*"
