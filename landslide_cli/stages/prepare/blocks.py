"""Scenes divided into blocks (`split.block`), which are scenes for every later step.

The image of a block is a VRT, a window of the scene without pixels of its own. Its mask is a file,
as labels are left out in the block's rim. Nothing larger than a block is held in memory.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from landslide_cli.core.palette import IGNORE, Mask, is_foreground
from landslide_cli.core.tiling.division import Division, blocks_of
from landslide_cli.dataset.blocks import (
    SIZES,
    Block,
    Blocks,
    block_image,
    block_mask,
    block_name,
    blocks_folder,
)
from landslide_cli.dataset.files import PREPARE_RECORD
from landslide_cli.dataset.prepared import READING, prepared_scale, scene_gsd
from landslide_cli.dataset.scenes import Scene, bad_files
from landslide_cli.dataset.sources import delivered_scenes_of
from landslide_cli.dataset.tiles import IMAGES, MASKS
from landslide_cli.dataset.truth import form_of_mask, truth_in
from landslide_cli.errors import DataError, LandslideError, counted
from landslide_cli.imagery.raster.images import RasterInfo, probe
from landslide_cli.imagery.raster.laying import window_info
from landslide_cli.imagery.raster.masks import MaskForm
from landslide_cli.imagery.raster.scene_files import files_of
from landslide_cli.imagery.raster.window_files import describe, window_of
from landslide_cli.imagery.raster.writer import Layer, MapWriter
from landslide_cli.outputs import whole_folder, write_text
from landslide_cli.processes import in_processes
from landslide_cli.profile import Profile
from landslide_cli.records import Step, refuse_overwrite
from landslide_cli.reporting import Reporter

Bools = NDArray[np.bool_]


def divide_scenes(profile: Profile, limit: int | None, overwrite: bool, reporter: Reporter) -> None:
    """Write the blocks of the profile's scenes into the dataset, unless they are there.

    Raises:
        ChangedError: there are blocks of other scenes or sizes.
        DataError: scenes or masks cannot be used, or blocks of this size make no sense for them.
        OutputError: the folder holds files of another origin.
    """
    scenes, folder = delivered_scenes_of(profile, limit), blocks_folder(profile)
    step = _step(profile, scenes, limit, overwrite)
    plans = [plan for scene in scenes if (plan := _plan(profile, scene)) is not None]
    if step.finished_before("prepare", overwrite) is not None:
        return
    if not step.path.exists():
        refuse_overwrite([folder], overwrite)
    with whole_folder(folder) as partial:
        for name in (IMAGES, MASKS):
            (partial / name).mkdir()
        jobs = [
            _Job(plan, division, form, profile, partial)
            for plan in plans
            for form in [form_of_mask(profile, plan.scene)]
            for division in plan.divisions
        ]
        written = in_processes(
            _write_block, jobs, profile.prepare.workers, "dividing scenes", reporter
        )
        errors = [outcome for outcome in written if isinstance(outcome, str)]
        if errors:
            raise bad_files(dict.fromkeys(errors))
        outcomes = [outcome for outcome in written if isinstance(outcome, _Written)]
        blocks = Blocks([outcome.block for outcome in outcomes], _links(outcomes))
        step.finish(blocks.document(), partial / PREPARE_RECORD)
    _tell(profile, plans, blocks, reporter)


def _step(profile: Profile, scenes: Sequence[Scene], limit: int | None, overwrite: bool) -> Step:
    settings = profile.settings(*SIZES, "classes", "bands", "prepare.nearest_colour")
    settings |= profile.source_settings(*READING, "part") | {"limit": limit}
    if profile.split.buffer is None:
        settings |= profile.settings("prepare.gsd", "prepare.scale") | {"side": profile.tile_side}
    files = files_of(path for scene in scenes for path in scene.files)
    return Step.of(blocks_folder(profile) / PREPARE_RECORD, settings, files, overwrite)


@dataclass(frozen=True)
class _Plan:
    """A scene to be divided: its header, its VRT, its blocks, and their distance in pixels."""

    scene: Scene
    info: RasterInfo
    description: str
    divisions: list[Division]
    buffer: tuple[int, int]


def _plan(profile: Profile, scene: Scene) -> _Plan | None:
    """Plan the blocks of a scene; None if it stays whole."""
    info = probe(scene.image)
    gsd = scene_gsd(profile, scene, info)
    block = profile.split.block_size
    side = _in_pixels(scene, "split.block", block, gsd)
    if side is None:
        return None
    rows, cols = (max(1, round(length)) for length in side)
    if len(blocks_of(info.height, info.width, (rows, cols), (0, 0))) == 1:
        return None
    _require_room_for_tiles(profile, scene, (rows, cols))
    buffer = _in_pixels(scene, "split.buffer", profile.split.buffer_size, gsd)
    if buffer is None:
        seen = profile.tile_side / prepared_scale(profile, scene)
        buffer = min(seen, rows / 4), min(seen, cols / 4)
    # Nothing has to be kept apart within one part.
    is_dealt = profile.sources[scene.source].part is None
    rim = (math.ceil(buffer[0] / 2), math.ceil(buffer[1] / 2)) if is_dealt else (0, 0)
    if 2 * rim[0] >= rows or 2 * rim[1] >= cols:
        raise DataError(
            f"{scene.image}: split.buffer, {_said(profile.split.buffer)}, leaves no label in "
            f"blocks of {cols} x {rows} pixels; make it less, or split.block more"
        )
    divisions = blocks_of(info.height, info.width, (rows, cols), rim)
    return _Plan(scene, info, describe(scene.image), divisions, (2 * rim[0], 2 * rim[1]))


def _in_pixels(
    scene: Scene,
    key: str,
    length: tuple[float, str | None] | None,
    gsd: tuple[float, float] | None,
) -> tuple[float, float] | None:
    """Return a length in pixels, along a column and along a row; None if there is none."""
    if length is None:
        return None
    size, unit = length
    if unit == "px" or (unit is None and gsd is None):
        return size, size
    if gsd is None:
        raise DataError(
            f"{scene.image}: has no georeference, so its GSD is not known; give {key} in pixels, "
            "such as `1024 px`, or set source.gsd"
        )
    return size / gsd[0], size / gsd[1]


def _said(length: float | str | None) -> str:
    return f"{length:g}" if isinstance(length, float) else f"{length}"


def _require_room_for_tiles(profile: Profile, scene: Scene, side: tuple[int, int]) -> None:
    """Refuse blocks of less than a tile or crop, of which most would be filled up."""
    scale, needed = prepared_scale(profile, scene), profile.tile_side
    least = min(side)
    if round(least * scale) < needed:
        key = "train.crop" if profile.train.crop is not None else "prepare.tile"
        resized = f", {round(least * scale)} as prepared" if scale != 1.0 else ""
        raise DataError(
            f"{scene.image}: split.block, {_said(profile.split.block)}, is {least} pixels there"
            f"{resized}, less than {key}, {needed}; take at least `{math.ceil(needed / scale)} px`"
        )


@dataclass(frozen=True)
class _Job:
    """A block to be written into a folder."""

    plan: _Plan
    division: Division
    form: MaskForm
    profile: Profile
    folder: Path


@dataclass(frozen=True)
class _Written:
    """A block, and where the foreground meets its four edges, rim included."""

    block: Block
    left: Bools
    top: Bools
    right: Bools
    bottom: Bools


def _write_block(job: _Job) -> _Written | str:
    """Write the image and the mask of a block that has a label; return the error if it cannot."""
    scene, division = job.plan.scene, job.division
    try:
        mask = truth_in(job.profile, scene, job.form, job.plan.info, division.window)
    except LandslideError as error:
        return str(error)
    ground = is_foreground(job.form.palette.only_foreground(mask))
    labels, core = np.full_like(mask, IGNORE), division.core
    inner = slice(core.row_off, core.row_stop), slice(core.col_off, core.col_stop)
    labels[inner] = mask[inner]
    pixels = np.bincount(labels.ravel(), minlength=256)[: len(job.form.palette)].tolist()
    name = block_name(scene.name, division)
    block = Block(name, scene.name, division, pixels)
    if block.is_labelled:
        final = blocks_folder(job.profile) / IMAGES
        image = window_of(job.plan.description, division.window, final)
        write_text(block_image(job.folder, name), image)
        if scene.mask is not None:
            _write_mask(block_mask(job.folder, name), labels, job)
    edges = ground[:, 0], ground[0], ground[:, -1], ground[-1]
    return _Written(block, *(edge.copy() for edge in edges))


def _write_mask(path: Path, mask: Mask, job: _Job) -> None:
    georeference = window_info(job.plan.info, job.division.window).georeference
    layer = Layer("uint8", IGNORE, dict(enumerate(job.form.palette.colours)), "class")
    with MapWriter(path, mask.shape[0], mask.shape[1], georeference, layer) as writer:
        writer.write(0, 0, mask)


def _links(written: Sequence[_Written]) -> list[tuple[str, str]]:
    """List the pairs of labelled blocks that a landslide lies across.

    It does where foreground touches foreground over the common edge or corner.
    """
    at = {
        (entry.block.scene, entry.block.division.row, entry.block.division.col): entry
        for entry in written
        if entry.block.is_labelled
    }
    return [
        (entry.block.name, other.block.name)
        for (scene, row, col), entry in at.items()
        for down, right in ((0, 1), (1, 0), (1, 1), (1, -1))
        if (other := at.get((scene, row + down, col + right))) is not None
        and _touch(entry, other, down, right)
    ]


def _touch(first: _Written, second: _Written, down: int, right: int) -> bool:
    if down and right:
        end, start = (-1, 0) if right > 0 else (0, -1)
        return bool(first.bottom[end] & second.top[start])
    edge, other = (first.bottom, second.top) if down else (first.right, second.left)
    near = edge.copy()
    near[1:] |= edge[:-1]
    near[:-1] |= edge[1:]
    return bool((near & other).any())


def _tell(profile: Profile, plans: Sequence[_Plan], blocks: Blocks, reporter: Reporter) -> None:
    """Say what became of the scenes, and warn of what hardly anybody wants."""
    if not plans:
        reporter.note(
            f"split.block, {_said(profile.split.block)}: no scene has room for two blocks"
        )
    count: Mapping[str, int] = {
        plan.scene.name: sum(b.scene == plan.scene.name for b in blocks.labelled) for plan in plans
    }
    for plan in plans:
        total, left = len(plan.divisions), len(plan.divisions) - count[plan.scene.name]
        window, (rows, cols) = plan.divisions[0].window, plan.buffer
        apart = f"{rows} pixels" if rows == cols else f"{cols} and {rows} pixels"
        without = f"; {left} without any label left out" if left else ""
        reporter.note(
            f"{plan.scene.name}: {counted(total, 'block')} of {window.width} x {window.height} "
            f"pixels, labels {apart} apart{without}"
        )
    side = profile.prepare.tile
    if side is None or profile.train.crop is not None:
        return
    for plan in plans:
        width = round(plan.divisions[0].window.width * prepared_scale(profile, plan.scene))
        if width % side and len(plan.divisions) > 1:
            reporter.note(
                f"{plan.scene.name}: {width} pixels, the side of its blocks as prepared, is no "
                f"multiple of prepare.tile, {side}; tiles at their edges are filled up"
            )
