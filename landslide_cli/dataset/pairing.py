"""Pairing images and masks by their names."""

import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from landslide_cli.dataset.finding import composed, divided, regardless_of_case
from landslide_cli.errors import DataError

# What is compared of a file's name: the text that the wildcards match, or the name.
Key = tuple[str, ...]


def paired(
    image_files: Sequence[Path], images: str, mask_files: Sequence[Path], masks: str
) -> tuple[dict[Key, Path], dict[Key, Path]]:
    """Key images and masks so that partners have the same key.

    The keys are the text that the wildcards match if any of it agrees, or else the names, of masks
    without a beginning and ending that all have.

    Args:
        image_files: the images.
        images: the glob or folder that they were found by.
        mask_files: the masks.
        masks: likewise.

    Raises:
        DataError: two files have the same key.
    """
    if wildcards(images) == wildcards(masks) > 0:
        image_keys, mask_keys = keyed(image_files, images), keyed(mask_files, masks)
        mask_keys = _despite_case(image_keys, mask_keys)
        if image_keys.keys() & mask_keys.keys():
            return image_keys, mask_keys
    image_keys, mask_keys = keyed(image_files, None), keyed(mask_files, None)
    for changed in (mask_keys, _without_affixes(image_keys, mask_keys)):
        agreeing = _despite_case(image_keys, changed)
        if image_keys.keys() & agreeing.keys():
            return image_keys, agreeing
    bare = _without_affixes(_folded(image_keys), _folded(mask_keys))
    return image_keys, _despite_case(image_keys, bare)


@dataclass(frozen=True)
class Strays:
    """What there is to say of files without a partner, or with two."""

    contested: list[str] = field(default_factory=list)
    alone: list[str] = field(default_factory=list)


def partnerless(
    images: Mapping[Key, Path], masks: Mapping[Key, Path], wanted: Sequence[Key], is_whole: bool
) -> Strays:
    """Say which files have no partner, and of which images two masks could be.

    Args:
        images: by key.
        masks: by key.
        wanted: keys of the images that are needed.
        is_whole: whether masks without an image count, too.
    """
    spare = [key for key in masks if key not in images]
    stems = {key: regardless_of_case(path.stem) for key, path in images.items()}
    counts = Counter(stems.values())
    by_stem = {stem: key for key, stem in stems.items() if counts[stem] == 1}
    claims: dict[Key, list[Path]] = {key: [masks[key]] for key in wanted if key in masks}
    for key in spare:
        stem = regardless_of_case(masks[key].stem)
        image = next((by_stem[part] for part in _phrases(stem) if part in by_stem), None)
        if image is not None:
            claims.setdefault(image, []).append(masks[key])
    wanted_claims = {key: claims[key] for key in wanted if len(claims.get(key, ())) > 1}
    told = {path for paths in wanted_claims.values() for path in paths}
    alone = [f"{images[key]} has no mask" for key in wanted if key not in {*masks, *wanted_claims}]
    if is_whole:
        alone += [f"{masks[key]} has no image" for key in spare if masks[key] not in told]
    contested = [
        f"{' and '.join(map(str, paths[:2]))} could each be the mask of {images[key]}; "
        "narrow source.masks to one of them"
        for key, paths in wanted_claims.items()
    ]
    return Strays(contested, alone)


def _phrases(text: str) -> Iterator[str]:
    """Yield each run of words in a text, the longest first."""
    words = list(re.finditer(r"[^\W_]+", text))
    spans = [(one.start(), two.end()) for i, one in enumerate(words) for two in words[i:]]
    for start, end in sorted(spans, key=lambda span: span[0] - span[1]):
        yield text[start:end]


def _despite_case(images: Mapping[Key, Path], masks: Mapping[Key, Path]) -> dict[Key, Path]:
    """Give masks without an image the key of the one image whose differs in case alone."""
    lonely: dict[Key, list[Key]] = {}
    for key in images:
        if key not in masks:
            lonely.setdefault(_fold(key), []).append(key)
    rekeyed: dict[Key, Path] = {}
    for key, path in masks.items():
        alike = lonely.get(_fold(key), []) if key not in images else []
        new = alike[0] if len(alike) == 1 else key
        if new in rekeyed:
            raise DataError(f"{rekeyed[new]} and {path} have the same name; narrow the glob")
        rekeyed[new] = path
    return rekeyed


def _folded(files: Mapping[Key, Path]) -> dict[Key, Path]:
    """Key files regardless of case, unless some differ in nothing else."""
    folded = {_fold(key): path for key, path in files.items()}
    return folded if len(folded) == len(files) else dict(files)


def _fold(key: Key) -> Key:
    return tuple(map(regardless_of_case, key))


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


def keyed(paths: Sequence[Path], pattern: str | None) -> dict[Key, Path]:
    """Return the files by key: the text that the wildcards match, or the name without suffix.

    Raises:
        DataError: two files have the same key.
    """
    matcher = _matcher(pattern) if pattern is not None else None
    files: dict[Key, Path] = {}
    for path in paths:
        match = matcher.fullmatch(composed(os.path.normpath(path))) if matcher else None
        parts = match.groups() if match else (path.stem,)
        key = tuple(map(composed, parts))
        if key in files:
            raise DataError(f"{files[key]} and {path} have the same name; narrow the glob")
        files[key] = path
    return files


def names_of(images: Mapping[Key, Path]) -> dict[Key, str]:
    """Name each scene after its image or, where names repeat, after the wildcards' text."""
    stems = [path.stem for path in images.values()]
    if len(set(stems)) == len(stems):
        return {key: path.stem for key, path in images.items()}
    return {key: "-".join(part.strip("/").replace("/", "-") for part in key) for key in images}


# Adjacent wildcards count as one, so that `???` pairs with `*`.
_WILDCARD = re.compile(r"\*\*/|(?:\*+|\?|\[!?\]?[^\]]*\])+")
_PIECE = re.compile(r"\*+|\?|\[!?\]?[^\]]*\]")


def wildcards(pattern: str) -> int:
    """Count the runs of wildcards in a pattern."""
    return len(_WILDCARD.findall("/".join(divided(pattern)[1])))


def _matcher(pattern: str) -> re.Pattern[str]:
    """Translate a glob into a regular expression with a group for each run of wildcards."""
    folder, parts = divided(pattern)
    text, end = composed("/".join(parts)), 0
    start = os.path.join(composed(os.path.normpath(folder)), "")  # noqa: PTH118 - ends in a slash
    pieces = [re.escape(start)] if folder.parts else []
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
