"""A dataset of tiles on disk: the manifest of all tiles, and a folder for each part.

    <dataset>/tiles/manifest.csv, images/, masks/         all tiles and augmented copies
    <dataset>/{train,valid,test}/{images,masks}/          the parts, in the experiment's layout
    <dataset>/fold-K/{train,valid,test}/{images,masks}/   the same for each fold

Image and mask of a tile have the same name without suffix. Any tool may have written the parts.
"""

import csv
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from landslide_cli.core.parts import Part
from landslide_cli.dataset.files import PREPARE_RECORD
from landslide_cli.dataset.finding import images_in
from landslide_cli.errors import DataError, listed
from landslide_cli.imagery.raster.images import image_suffix
from landslide_cli.outputs import write_csv
from landslide_cli.profile import Profile
from landslide_cli.records import check_file

IMAGES, MASKS, TILES, MANIFEST = "images", "masks", "tiles", "manifest.csv"

_COLUMNS = ["tile", "scene", "row", "column", "augmentation", "labelled_pixels", "foreground_share"]
# Of more than two classes: the pixels of each, in the order of their indices.
_OF_CLASSES = "class_pixels"


@dataclass(frozen=True)
class Tile:
    """An entry of the manifest.

    `tile` is the name of image and mask without suffix. `row` and `column` are the offset of the
    upper left pixel in the resized scene. `augmentation` is empty for the tile itself.
    `foreground_share` is the share of the `labelled_pixels` that are foreground. `class_pixels` are
    those of each class, empty where there are but two. Where no tiles are cut, an entry is a whole
    scene under its own name.
    """

    tile: str
    scene: str
    row: int
    column: int
    augmentation: str
    labelled_pixels: int
    foreground_share: float
    class_pixels: tuple[int, ...] = ()


@dataclass(frozen=True)
class TileFiles:
    """Image and mask of a tile."""

    image: Path
    mask: Path

    @property
    def files(self) -> list[Path]:
        """The image and the mask."""
        return [self.image, self.mask]


def write_manifest(folder: Path, tiles: Sequence[Tile]) -> None:
    """Write the manifest of a folder of tiles."""
    has_classes = any(tile.class_pixels for tile in tiles)
    rows = [
        (
            *(tile.tile, tile.scene, tile.row, tile.column, tile.augmentation),
            *(tile.labelled_pixels, f"{tile.foreground_share:.6f}"),
            *([" ".join(map(str, tile.class_pixels))] if has_classes else []),
        )
        for tile in tiles
    ]
    write_csv(folder / MANIFEST, [*_COLUMNS, _OF_CLASSES] if has_classes else _COLUMNS, rows)


def read_manifest(folder: Path) -> list[Tile]:
    """Read the manifest of a folder of tiles.

    Raises:
        DataError: the file is missing, is not a manifest, or not the one that `prepare` wrote.
    """
    path = folder / MANIFEST
    check_file(path, folder / PREPARE_RECORD)
    try:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            if reader.fieldnames not in (_COLUMNS, [*_COLUMNS, _OF_CLASSES]):
                raise ValueError(f"its columns are not {', '.join(_COLUMNS)}")
            return [_tile(row) for row in reader]
    except FileNotFoundError:
        raise DataError(f"{path}: no tiles yet; run `landslide prepare` first") from None
    except (OSError, ValueError, TypeError, KeyError, csv.Error) as error:
        raise DataError(f"{path}: is not a manifest of tiles ({error})") from None


def tile_suffix(profile: Profile) -> str:
    """Return the suffix of the images of a profile's tiles: PNG where it can hold them."""
    return ".tif" if profile.composition is not None else image_suffix(profile.model_inputs)


def link_tile(tile: Tile, source: Path, target: Path, suffix: str) -> None:
    """Hard-link a tile's image and mask, or copy them where the file system has no hard links.

    Args:
        tile: an entry of the manifest.
        source: folder with the tile in its `images` and `masks`.
        target: folder with `images` and `masks` for the links.
        suffix: of the image.

    Raises:
        DataError: a file is missing.
        OSError: a file cannot be copied.
    """
    for folder, name in ((IMAGES, f"{tile.tile}{suffix}"), (MASKS, f"{tile.tile}.png")):
        file = source / folder / name
        if not file.is_file():
            raise DataError(f"{file}: is in the manifest but missing; run `landslide prepare`")
        try:
            os.link(file, target / folder / name)
        except OSError:
            shutil.copy2(file, target / folder / name)


def steps_to_parts(dataset: Path) -> str:
    """Tell which steps a dataset, or a fold of one, lacks before it has parts."""
    if any((folder / TILES / MANIFEST).exists() for folder in (dataset, dataset.parent)):
        return "run `landslide split` first"
    return "run `landslide prepare` first, then `landslide split`"


def part_tiles(dataset: Path, part: Part) -> list[TileFiles]:
    """List the tiles of a part, by name.

    Raises:
        DataError: the part is missing or empty, or images and masks do not match.
    """
    images = _by_stem(dataset / part / IMAGES)
    masks = _by_stem(dataset / part / MASKS)
    if not images:
        raise DataError(
            f"{dataset / part / IMAGES}: no {part} tiles; {steps_to_parts(dataset)} (where "
            "prepare.tile is null there are none), or name another `dataset`"
        )
    unpaired = [str(images[stem]) for stem in sorted(images.keys() - masks.keys())]
    unpaired += [str(masks[stem]) for stem in sorted(masks.keys() - images.keys())]
    if unpaired:
        raise DataError(f"images and masks do not match: {listed(unpaired)}")
    return [TileFiles(images[stem], masks[stem]) for stem in sorted(images)]


def _by_stem(folder: Path) -> dict[str, Path]:
    if not folder.is_dir():
        return {}
    paths: dict[str, Path] = {}
    for path in images_in(folder):
        if paths.setdefault(path.stem, path) != path:
            raise DataError(f"{paths[path.stem]} and {path} have the same name; keep one of them")
    return paths


def _tile(row: dict[str, str]) -> Tile:
    if Path(row["tile"]).name != row["tile"]:
        raise ValueError(f"a tile's name must not be a path: {row['tile']}")
    return Tile(
        tile=row["tile"],
        scene=row["scene"],
        row=int(row["row"]),
        column=int(row["column"]),
        augmentation=row["augmentation"],
        labelled_pixels=int(row["labelled_pixels"]),
        foreground_share=float(row["foreground_share"]),
        class_pixels=tuple(int(count) for count in (row.get(_OF_CLASSES) or "").split()),
    )
