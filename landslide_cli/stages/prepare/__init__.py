"""`landslide prepare`: scenes and masks into tiles with a manifest, or checked and listed whole."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from landslide_cli.dataset.blocks import read_blocks
from landslide_cli.dataset.files import DATASET_LOCK, PREPARE_RECORD
from landslide_cli.dataset.prepared import READING
from landslide_cli.dataset.preprocessing import of_leading_source
from landslide_cli.dataset.scenes import Scene
from landslide_cli.dataset.sources import labelled_scenes_of
from landslide_cli.dataset.tiles import MANIFEST, TILES, write_manifest
from landslide_cli.errors import listed
from landslide_cli.imagery.raster.images import probe
from landslide_cli.imagery.raster.scene_files import files_of
from landslide_cli.locks import refusing
from landslide_cli.outputs import whole_folder
from landslide_cli.profile import Profile
from landslide_cli.records import Step, refuse_overwrite
from landslide_cli.reporting import Reporter, SilentReporter
from landslide_cli.stages.prepare.blocks import divide_scenes
from landslide_cli.stages.prepare.cutting import Cutting, cut_scenes
from landslide_cli.stages.prepare.drawing import draw_scenes
from landslide_cli.stages.prepare.labels import lay_labels
from landslide_cli.stages.prepare.result import PrepareResult

__all__ = ["PrepareResult", "prepare"]

# Pixels of a scene from which on it is better divided; and bytes that each takes when it is not.
LARGE, _BYTES = 2**26, 35


def prepare(
    profile: Profile,
    *,
    limit: int | None = None,
    overwrite: bool = False,
    reporter: Reporter | None = None,
) -> PrepareResult:
    """Cut the profile's scenes into tiles; where `prepare.tile` is null, only check and list them.

    Args:
        profile: its `source`, `prepare`, `classes`, `bands` and `dataset` are used, and of `split`
            the blocks that scenes are divided into.
        limit: use only the first scenes, by name.
        overwrite: cut the tiles again and replace existing ones.
        reporter: shown the progress.

    Raises:
        BusyError: another process prepares or splits the dataset.
        ChangedError: there are tiles of different scenes or settings.
        DataError: scenes or masks cannot be used.
        OutputError: the folder of tiles holds files of another origin, or cannot be written.
    """
    with refusing(profile.dataset / DATASET_LOCK, "prepared", profile.dataset):
        return _prepare(profile, limit, overwrite, reporter or SilentReporter())


def _prepare(
    profile: Profile, limit: int | None, overwrite: bool, reporter: Reporter
) -> PrepareResult:
    for index, source in enumerate(profile.sources):
        if source.synthetic is not None:
            draw_scenes(profile, index, source.synthetic, limit, overwrite, reporter)
        if source.labels is not None and source.images is not None:
            lay_labels(profile, index, source.labels, limit, overwrite, reporter)
    if profile.split.block is not None:
        divide_scenes(profile, limit, overwrite, reporter)
    scenes = labelled_scenes_of(profile, limit)
    folder = profile.dataset / TILES
    step = _step(profile, scenes, limit, overwrite)
    finished = step.finished_before("prepare", overwrite)
    if finished is not None:
        return PrepareResult.of(finished, folder)
    if not step.path.exists():
        refuse_overwrite([folder], overwrite)
    _warn_of_settings(profile, reporter)
    _warn_of_large(scenes, reporter)
    with whole_folder(folder) as partial:
        cuttings = cut_scenes(scenes, profile, partial, reporter)
        _tell_bands(scenes, cuttings, reporter)
        result = _result(profile, folder, scenes, cuttings)
        write_manifest(partial, [tile for cutting in cuttings for tile in cutting.tiles])
        step.finish(result.document(), partial / PREPARE_RECORD, [MANIFEST])
    if result.tiles == 0 and result.dropped:
        reporter.warn("every tile was dropped as empty")
    return result


def _warn_of_settings(profile: Profile, reporter: Reporter) -> None:
    """Warn of what the profile says, or leaves out, probably unknowingly."""
    composition, turns = profile.composition, profile.prepare.augment.turns
    turned = None if composition is None else composition.told_of_turning(turns)
    if turned is not None:
        reporter.warn(f"prepare.augment: {turned}")
    has_images = any(source.images is not None for source in profile.sources)
    if has_images and "model" not in profile.model_fields_set:
        reporter.warn(
            "the profile names no model and extends no profile, so that a network of 126.8 million "
            "parameters will be trained; for the packaged model and its recipe add the line "
            "`extends: landslide`"
        )


def _step(profile: Profile, scenes: Sequence[Scene], limit: int | None, overwrite: bool) -> Step:
    settings = profile.settings("prepare", "classes", "bands") | {"limit": limit}
    settings |= profile.source_settings(*READING)
    settings.pop("prepare.workers")  # changes the speed, not the result
    files = files_of(path for scene in scenes for path in scene.files)
    return Step.of(profile.dataset / TILES / PREPARE_RECORD, settings, files, overwrite)


def _warn_of_large(scenes: Sequence[Scene], reporter: Reporter) -> None:
    """Warn of scenes that are read as a whole although they could be divided."""
    for scene in scenes:
        info = probe(scene.image)
        pixels = info.width * info.height
        if pixels > LARGE:
            reporter.warn(
                f"{scene.name}: {pixels / 1e6:,.0f} megapixels are read as a whole, with about "
                f"{pixels * _BYTES / 1e9:,.0f} GB of memory; split.block divides such a scene"
            )


def _tell_bands(scenes: Sequence[Scene], cuttings: Sequence[Cutting], reporter: Reporter) -> None:
    """Say which scenes' bands are taken in another order, or are not what a model expects."""
    notes: dict[str, list[str]] = {}
    warnings: dict[str, list[str]] = {}
    for scene, cutting in zip(scenes, cuttings, strict=True):
        for remark, said in ((cutting.note, notes), (cutting.warning, warnings)):
            if remark is not None:
                said.setdefault(remark, []).append(scene.name)
    for remark, names in notes.items():
        reporter.note(f"{listed(names, most=3)}: {remark}")
    for remark, names in warnings.items():
        reporter.warn(f"{listed(names, most=3)}: {remark}")


def _median_scale(scenes: Sequence[Scene], cuttings: Sequence[Cutting]) -> float:
    """Return the median of the factors by which the scenes of the leading source were resized."""
    leading = set(of_leading_source(scenes))
    pairs = zip(scenes, cuttings, strict=True)
    return float(np.median([cutting.scale for scene, cutting in pairs if scene in leading]))


def _result(
    profile: Profile, folder: Path, scenes: Sequence[Scene], cuttings: Sequence[Cutting]
) -> PrepareResult:
    is_cut = profile.prepare.tile is not None
    tiles = [tile for cutting in cuttings for tile in cutting.tiles]
    pixels = np.sum([cutting.class_pixels for cutting in cuttings], axis=0).tolist()
    encodings = [cutting.encoding for cutting in cuttings]
    blocks, palette = read_blocks(profile), profile.palette
    return PrepareResult(
        folder=folder,
        scenes=len(cuttings),
        tiles=sum(not tile.augmentation for tile in tiles) if is_cut else 0,
        augmented=sum(bool(tile.augmentation) for tile in tiles),
        dropped=sum(cutting.dropped for cutting in cuttings),
        scale=_median_scale(scenes, cuttings),
        class_pixels={palette.names[index]: pixels[index] for index in palette.meaningful},
        padding_pixels=sum(cutting.padding for cutting in cuttings),
        mask_encodings={kind: encodings.count(kind) for kind in sorted(set(encodings))},
        changed_pixels=sum(cutting.changed for cutting in cuttings),
        unlabelled_pixels=sum(cutting.unlabelled for cutting in cuttings),
        standardized=profile.prepare.standardize,
        blocks=len(blocks.labelled),
        blocks_without_label=len(blocks.blocks) - len(blocks.labelled),
        bands={
            scene.name: cutting.moments
            for scene, cutting in zip(scenes, cuttings, strict=True)
            if cutting.moments is not None
        },
    )
