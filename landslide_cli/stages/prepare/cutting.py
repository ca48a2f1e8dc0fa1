"""Tiles of scenes: each scene is read, resized, cut, and written with its augmented copies."""

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from landslide_cli.core.palette import IGNORE, Mask, Palette, is_foreground
from landslide_cli.core.tiling.grid import Window, cut, side_by_side
from landslide_cli.dataset.band_statistics import Moments, moments_of
from landslide_cli.dataset.prepared import (
    PreparedScene,
    prepared_scene,
    prepared_values,
    remarks_on,
)
from landslide_cli.dataset.scenes import Scene, bad_files
from landslide_cli.dataset.tiles import IMAGES, MASKS, Tile, tile_suffix
from landslide_cli.errors import LandslideError
from landslide_cli.imagery.raster.images import write_image, write_mask, write_values
from landslide_cli.imagery.raster.stack import clipped_note, is_mostly_clipped
from landslide_cli.imagery.warp import copies
from landslide_cli.processes import in_processes
from landslide_cli.profile import Profile
from landslide_cli.reporting import Reporter

# In the masks of tiles that are being made: no data, where `IGNORE` is no label.
_NO_DATA = IGNORE - 1


@dataclass(frozen=True)
class Cutting:
    """The tiles of one scene, or the scene itself as a single entry where no tiles are cut.

    `class_pixels` counts the labelled pixels of each class, `padding` the pixels beyond the scene's
    edges, `unlabelled` those within that have no label, `changed` those set to the nearest class.
    `note` and `warning` tell of the scene's bands, whose `moments` are those of their own values;
    `error` tells why it cannot be used.
    """

    tiles: list[Tile] = field(default_factory=list)
    dropped: int = 0
    scale: float = 1.0
    class_pixels: list[int] = field(default_factory=list)
    padding: int = 0
    encoding: str = ""
    changed: int = 0
    unlabelled: int = 0
    moments: Moments | None = None
    note: str | None = None
    warning: str | None = None
    error: str | None = None


def cut_scenes(
    scenes: Sequence[Scene], profile: Profile, folder: Path, reporter: Reporter
) -> list[Cutting]:
    """Cut scenes into tiles, several scenes at a time, and write the tiles into a folder.

    Args:
        scenes: of the profile's source.
        profile: its `prepare`, `source`, `classes` and `bands` are used.
        folder: exists and is empty.
        reporter: shown the progress, in scenes.

    Returns:
        One entry per scene.

    Raises:
        DataError: scenes or masks cannot be used; all of them are named.
    """
    is_cut = profile.prepare.tile is not None
    for name in (IMAGES, MASKS) if is_cut else ():
        (folder / name).mkdir()
    jobs = [(scene, profile, folder) for scene in scenes]
    description = "cutting scenes" if is_cut else "checking scenes"
    cuttings = in_processes(_cut_scene, jobs, profile.prepare.workers, description, reporter)
    errors = [cutting.error for cutting in cuttings if cutting.error is not None]
    if errors:
        raise bad_files(errors)
    return cuttings


def _cut_scene(job: tuple[Scene, Profile, Path]) -> Cutting:
    scene, profile, folder = job
    side, palette = profile.prepare.tile, profile.palette
    try:
        prepared = _prepared(profile, scene)
        note, warning = remarks_on(profile, scene)
    except LandslideError as error:
        return Cutting(error=str(error))
    mask = prepared.reading.mask
    rows, cols = mask.shape
    windows = [Window(0, 0, cols, rows)] if side is None else side_by_side(rows, cols, side)
    tiles: list[Tile] = []
    counts, padding, dropped, unlabelled = np.zeros(len(palette), np.int64), 0, 0, 0
    for window in windows:
        tile_mask = _padded(mask, window)
        labelled, share = _labelled_pixels(tile_mask), _foreground_share(tile_mask, palette)
        is_bare = side is not None and labelled == 0
        if is_bare or (profile.prepare.drop_empty and share == 0.0):
            dropped += 1
            continue
        pixels = _class_pixels(tile_mask, palette)
        counts += pixels
        beyond = _padding_pixels(window, rows, cols)
        padding += beyond
        unlabelled += tile_mask.size - labelled - beyond
        if side is None:
            classes = _listed(pixels)
            tiles.append(Tile(scene.name, scene.name, 0, 0, "", labelled, share, classes))
        else:
            tiles += _write_tile(scene.name, window, prepared, tile_mask, profile, folder)
    return Cutting(
        tiles=tiles,
        dropped=dropped,
        scale=prepared.scale,
        class_pixels=counts.tolist(),
        padding=padding,
        encoding=prepared.reading.encoding,
        changed=prepared.reading.changed,
        unlabelled=unlabelled,
        moments=_moments(profile, prepared),
        note=note or (None if is_mostly_clipped(prepared.clipped) else _clipped(prepared)),
        warning=_warning(warning, prepared),
    )


def _prepared(profile: Profile, scene: Scene) -> PreparedScene:
    """Read a scene for tiles: of 8 bits or standardized, or in its bands' own values."""
    if profile.composition is None or profile.prepare.standardize:
        return prepared_scene(profile, scene)
    return prepared_values(profile, scene)


def _warning(of_bands: str | None, prepared: PreparedScene) -> str | None:
    """Join what makes a scene a poor one to learn from; None if nothing does."""
    reasons = [of_bands]
    if is_mostly_clipped(prepared.clipped):
        reasons.append(_clipped(prepared))
    if not _labelled_pixels(prepared.reading.mask):
        reasons.append("has no pixel with both data and a label")
    return "; ".join(reason for reason in reasons if reason is not None) or None


def _clipped(prepared: PreparedScene) -> str | None:
    """Say which bands have values outside of their ranges; None if there are none."""
    return clipped_note(prepared.clipped) if prepared.clipped else None


def _moments(profile: Profile, prepared: PreparedScene) -> Moments | None:
    if profile.composition is None or profile.prepare.standardize:
        return None
    return moments_of(prepared.image, prepared.valid)


def _write_tile(
    scene: str,
    window: Window,
    prepared: PreparedScene,
    mask: Mask,
    profile: Profile,
    folder: Path,
) -> Iterator[Tile]:
    """Write a tile and its augmented copies; yield the manifest's entry for each of them."""
    name = f"{scene}_r{window.row_off:05d}_c{window.col_off:05d}"
    image, limits = cut(prepared.image, window), prepared.limits
    if prepared.valid is not None:
        is_valid = cut(prepared.valid.astype(np.uint8), window) > 0
        mask = np.where(is_valid, mask, np.uint8(_NO_DATA))
    seed = (profile.prepare.seed, zlib.crc32(name.encode()))
    augmented = copies(image, mask, seed, **profile.prepare.augment.model_dump())
    for kind, copy_image, copy_mask in [("", image, mask), *augmented]:
        tile = f"{name}_{kind}" if kind else name
        path = folder / IMAGES / f"{tile}{tile_suffix(profile)}"
        if profile.composition is None:
            write_image(path, np.ascontiguousarray(copy_image))
        else:
            names = [band.name for band in profile.composition.inputs]
            valid = None if prepared.valid is None else copy_mask != _NO_DATA
            write_values(path, np.ascontiguousarray(copy_image), names, limits, valid)
        labels = np.where(copy_mask == _NO_DATA, np.uint8(IGNORE), copy_mask)
        write_mask(folder / MASKS / f"{tile}.png", labels, profile.palette)
        palette, labelled = profile.palette, _labelled_pixels(labels)
        share, classes = _foreground_share(labels, palette), _class_pixels(labels, palette)
        place = window.row_off, window.col_off
        yield Tile(tile, scene, *place, kind, labelled, share, _listed(classes))


def _padded(mask: Mask, window: Window) -> Mask:
    """Cut a window out of a mask; beyond the scene's edges it is unlabelled."""
    padded = np.full((window.height, window.width), IGNORE, np.uint8)
    inside = mask[window.row_off : window.row_stop, window.col_off : window.col_stop]
    padded[: inside.shape[0], : inside.shape[1]] = inside
    return padded


def _padding_pixels(window: Window, rows: int, cols: int) -> int:
    """Count the pixels of a window beyond the edges of a scene of `rows` x `cols`."""
    height = min(window.height, rows - window.row_off)
    width = min(window.width, cols - window.col_off)
    return window.height * window.width - height * width


def _labelled_pixels(mask: Mask) -> int:
    return int((mask != IGNORE).sum())


def _foreground_share(mask: Mask, palette: Palette) -> float:
    """Return the share of foreground in the labelled pixels, 0 where there are none."""
    labelled = _labelled_pixels(mask)
    foreground = is_foreground(palette.only_foreground(mask))
    return int(foreground.sum()) / labelled if labelled else 0.0


def _class_pixels(mask: Mask, palette: Palette) -> NDArray[np.int64]:
    """Count the labelled pixels of each class."""
    return np.array([np.count_nonzero(mask == index) for index in range(len(palette))], np.int64)


def _listed(pixels: NDArray[np.int64]) -> tuple[int, ...]:
    """Return the pixels of each class for the manifest; of two, its other columns tell them."""
    return tuple(pixels.tolist()) if len(pixels) > 2 else ()
