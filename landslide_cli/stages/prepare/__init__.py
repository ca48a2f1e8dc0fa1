"""`landslide prepare`: raw scenes and masks to tiles with a manifest, or checked as they are."""

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from landslide_cli.core.arrays import Image
from landslide_cli.core.palette import IGNORE, Mask, Palette
from landslide_cli.core.tiling.grid import Window, cut, side_by_side
from landslide_cli.dataset.files import PREPARE_RECORD
from landslide_cli.dataset.prepared import (
    labelled_scenes_of,
    prepared_scene,
    synthetic_folder,
)
from landslide_cli.dataset.scenes import Scene, bad_files
from landslide_cli.dataset.tiles import IMAGES, MASKS, TILES, Tile, write_manifest
from landslide_cli.errors import DataError, LandslideError
from landslide_cli.imagery.raster.images import image_suffix, write_image, write_mask
from landslide_cli.imagery.synthetic import draw_scene
from landslide_cli.imagery.warp import copies
from landslide_cli.outputs import whole_folder
from landslide_cli.processes import in_processes
from landslide_cli.profile import Profile, SyntheticSettings
from landslide_cli.records import Step, refuse_overwrite
from landslide_cli.reporting import Reporter, Result, SilentReporter, Table


@dataclass(frozen=True)
class PrepareResult(Result):
    """What lies in the folder of tiles.

    Where no tiles are cut, `tiles` is 0 and the manifest lists whole scenes. `class_pixels` counts
    the labelled pixels of the tiles without their augmented copies, or of the scenes;
    `padding_pixels` are those beyond the scenes' edges. `scale` is the factor by which scenes were
    resized, their median; with `standardized` they were given standard levels. `mask_encodings`
    counts the mask files by how they wrote the classes; `changed_pixels` were given the nearest
    class.
    """

    folder: Path
    scenes: int
    tiles: int
    augmented: int
    dropped: int
    scale: float
    class_pixels: dict[str, int]
    padding_pixels: int
    mask_encodings: dict[str, int]
    changed_pixels: int
    standardized: bool = False
    unchanged: bool = False

    def headline(self) -> str:
        """Say what was made, or that nothing had to be."""
        if not self._is_cut:
            checked = "unchanged since they were checked" if self.unchanged else "checked"
            return f"{self.scenes} scenes {checked}, and no tiles cut: {self.folder}"
        made = "unchanged since they were made" if self.unchanged else "made"
        return f"{self.tiles} tiles and {self.augmented} augmented copies {made}: {self.folder}"

    def tables(self) -> Sequence[Table]:
        """Show the class shares and the counts."""
        total = max(1, sum(self.class_pixels.values()))
        shares = [
            (name, f"{pixels:,}", f"{pixels / total:.1%}")
            for name, pixels in self.class_pixels.items()
        ]
        encodings = ", ".join(f"{kind} {count}" for kind, count in self.mask_encodings.items())
        if self._is_cut:
            what = "tiles"
            of_tiles = [
                ("tiles dropped as empty", f"{self.dropped}"),
                ("padding pixels", f"{self.padding_pixels:,}"),
            ]
        else:
            what, of_tiles = "scenes", []
        counts = [
            ("scenes", f"{self.scenes}"),
            *of_tiles,
            ("masks written as", encodings),
            ("pixels given the nearest class", f"{self.changed_pixels:,}"),
        ]
        return [
            Table(f"{what} by class", ["class", "pixels", "share"], shares),
            Table("", ["", "count"], counts),
        ]

    @property
    def _is_cut(self) -> bool:
        return self.tiles + self.dropped > 0


def prepare(
    profile: Profile,
    *,
    limit: int | None = None,
    overwrite: bool = False,
    reporter: Reporter | None = None,
) -> PrepareResult:
    """Cut the profile's scenes into tiles; where `prepare.tile` is null, only check and list them.

    Args:
        profile: its `source`, `prepare`, `classes`, `bands` and `dataset` are used.
        limit: take only the first scenes, by name.
        overwrite: make the tiles again even if they are there.
        reporter: shown the progress.

    Raises:
        ChangedError: there are tiles made from other scenes or settings.
        DataError: scenes or masks cannot be used.
    """
    reporter = reporter or SilentReporter()
    if profile.source.synthetic is not None:
        _draw_scenes(profile, profile.source.synthetic, limit, overwrite, reporter)
    scenes = labelled_scenes_of(profile, limit)
    folder = profile.dataset / TILES
    settings = profile.settings("prepare", "classes", "bands", "source.value_range")
    settings |= {"limit": limit}
    settings.pop("prepare.workers")  # changes how fast, not what
    files = [path for scene in scenes for path in (scene.image, scene.mask)]
    step = Step.of(folder / PREPARE_RECORD, settings, files)
    finished = step.finished_before("prepare", overwrite)
    if finished is not None:
        return PrepareResult(**{**finished, "folder": folder, "unchanged": True})
    if not (folder / PREPARE_RECORD).exists():
        refuse_overwrite([folder], overwrite)
    with whole_folder(folder) as partial:
        cuttings = _cut_all(scenes, profile, partial, reporter)
        result = _summary(folder, cuttings, profile)
        write_manifest(partial, [tile for cutting in cuttings for tile in cutting.tiles])
        step.finish(result.document(), partial / PREPARE_RECORD)
    if result.tiles == 0 and result.dropped:
        reporter.warn("every tile was dropped as empty")
    return result


@dataclass(frozen=True)
class _Cutting:
    """What one scene gave; or the error that says why it gave nothing."""

    tiles: list[Tile] = field(default_factory=list)
    dropped: int = 0
    scale: float = 1.0
    class_pixels: list[int] = field(default_factory=list)
    padding: int = 0
    encoding: str = ""
    changed: int = 0
    error: str | None = None


def _cut_all(
    scenes: Sequence[Scene], profile: Profile, folder: Path, reporter: Reporter
) -> list[_Cutting]:
    is_cut = profile.prepare.tile is not None
    for name in (IMAGES, MASKS) if is_cut else ():
        (folder / name).mkdir()
    jobs = [(scene, profile, folder) for scene in scenes]
    doing = "cutting scenes" if is_cut else "checking scenes"
    cuttings = in_processes(_cut_scene, jobs, profile.prepare.workers, doing, reporter)
    errors = [cutting.error for cutting in cuttings if cutting.error is not None]
    if errors:
        raise bad_files(errors)
    return cuttings


def _cut_scene(job: tuple[Scene, Profile, Path]) -> _Cutting:
    """Read, resize and cut one scene, and write its tiles; or take it whole."""
    scene, profile, folder = job
    side, palette = profile.prepare.tile, profile.palette
    try:
        prepared = prepared_scene(profile, scene)
    except LandslideError as error:
        return _Cutting(error=str(error))
    image, mask = prepared.image, prepared.reading.mask
    rows, cols = mask.shape
    windows = [Window(0, 0, cols, rows)] if side is None else side_by_side(rows, cols, side)
    tiles: list[Tile] = []
    counts, padding, dropped = np.zeros(len(palette), np.int64), 0, 0
    for window in windows:
        tile_mask = _padded(mask, window)
        labelled, share = _labelled_pixels(tile_mask), _foreground_share(tile_mask)
        if profile.prepare.drop_empty and share == 0.0:
            dropped += 1
            continue
        counts += [np.count_nonzero(tile_mask == index) for index in range(len(palette))]
        inside = min(window.height, rows - window.row_off) * min(
            window.width, cols - window.col_off
        )
        padding += window.height * window.width - inside
        if side is None:
            tiles.append(Tile(scene.name, scene.name, 0, 0, "", labelled, share))
        else:
            pair = cut(image, window), tile_mask
            tiles += _write_tiles(scene.name, window, *pair, profile, folder)
    return _Cutting(
        tiles=tiles,
        dropped=dropped,
        scale=prepared.scale,
        class_pixels=counts.tolist(),
        padding=padding,
        encoding=prepared.reading.encoding,
        changed=prepared.reading.changed,
    )


def _write_tiles(
    scene: str, window: Window, image: Image, mask: Mask, profile: Profile, folder: Path
) -> Iterator[Tile]:
    """Write a tile and its augmented copies, and yield their lines of the manifest."""
    name = f"{scene}_r{window.row_off:05d}_c{window.col_off:05d}"
    seed = (profile.prepare.seed, zlib.crc32(name.encode()))
    augmented = copies(image, mask, seed, **profile.prepare.augment.model_dump())
    for kind, copy_image, copy_mask in [("", image, mask), *augmented]:
        tile = f"{name}_{kind}" if kind else name
        suffix = image_suffix(profile.bands)
        write_image(folder / IMAGES / f"{tile}{suffix}", np.ascontiguousarray(copy_image))
        write_mask(folder / MASKS / f"{tile}.png", copy_mask, profile.palette)
        labelled, share = _labelled_pixels(copy_mask), _foreground_share(copy_mask)
        yield Tile(tile, scene, window.row_off, window.col_off, kind, labelled, share)


def _padded(mask: Mask, window: Window) -> Mask:
    """Cut a tile's mask; beyond the scene it has no label."""
    padded = np.full((window.height, window.width), IGNORE, np.uint8)
    inside = mask[window.row_off : window.row_stop, window.col_off : window.col_stop]
    padded[: inside.shape[0], : inside.shape[1]] = inside
    return padded


def _labelled_pixels(mask: Mask) -> int:
    return int((mask != IGNORE).sum())


def _foreground_share(mask: Mask) -> float:
    labelled = _labelled_pixels(mask)
    return int(((mask != IGNORE) & (mask != 0)).sum()) / labelled if labelled else 0.0


def _summary(folder: Path, cuttings: Sequence[_Cutting], profile: Profile) -> PrepareResult:
    palette, is_cut = profile.palette, profile.prepare.tile is not None
    tiles = [tile for cutting in cuttings for tile in cutting.tiles]
    pixels = np.sum([cutting.class_pixels for cutting in cuttings], axis=0)
    encodings = [cutting.encoding for cutting in cuttings]
    return PrepareResult(
        folder=folder,
        scenes=len(cuttings),
        tiles=sum(not tile.augmentation for tile in tiles) if is_cut else 0,
        augmented=sum(bool(tile.augmentation) for tile in tiles),
        dropped=sum(cutting.dropped for cutting in cuttings),
        scale=float(np.median([cutting.scale for cutting in cuttings])),
        class_pixels={name: int(n) for name, n in zip(palette.names, pixels, strict=True)},
        padding_pixels=sum(cutting.padding for cutting in cuttings),
        mask_encodings={kind: encodings.count(kind) for kind in sorted(set(encodings))},
        changed_pixels=sum(cutting.changed for cutting in cuttings),
        standardized=profile.prepare.standardize,
    )


def _draw_scenes(
    profile: Profile,
    synthetic: SyntheticSettings,
    limit: int | None,
    overwrite: bool,
    reporter: Reporter,
) -> None:
    """Draw the synthetic scenes to files, so that every later step sees scenes like any other."""
    folder = synthetic_folder(profile)
    palette = profile.palette
    if profile.bands != 3 or len(palette) != 2:
        raise DataError("the synthetic source draws 3 bands and 2 classes; the profile has others")
    count = min(synthetic.scenes, limit or synthetic.scenes)
    settings = profile.settings("source", "classes") | {"source.synthetic.scenes": count}
    step = Step.of(folder / PREPARE_RECORD, settings, [])
    if step.finished_before("prepare", overwrite) is not None:
        return
    if not (folder / PREPARE_RECORD).exists():
        refuse_overwrite([folder], overwrite)
    with whole_folder(folder) as partial:
        for name in (IMAGES, MASKS):
            (partial / name).mkdir()
        jobs = [(synthetic, index, palette, partial) for index in range(count)]
        in_processes(_draw_one, jobs, profile.prepare.workers, "drawing scenes", reporter)
        step.finish({"scenes": count}, partial / PREPARE_RECORD)


def _draw_one(job: tuple[SyntheticSettings, int, Palette, Path]) -> None:
    synthetic, index, palette, folder = job
    image, mask = draw_scene(synthetic.seed, index, synthetic.width, synthetic.height)
    name = f"synthetic-{index + 1:04d}.png"
    write_image(folder / IMAGES / name, image)
    write_mask(folder / MASKS / name, mask, palette)
