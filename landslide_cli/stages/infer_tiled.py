"""`landslide infer-tiled`: whole scenes to coloured masks and overlays."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from landslide_cli.core.inference import mask_of, predict_scene
from landslide_cli.core.palette import Mask, Palette
from landslide_cli.core.tiler import Image
from landslide_cli.errors import DataError
from landslide_cli.imagery.pictures import overlay
from landslide_cli.imagery.raster import read_image, write_image, write_mask
from landslide_cli.imagery.scenes import bad_files, find_files
from landslide_cli.outputs import whole_file, write_json
from landslide_cli.profile import Profile
from landslide_cli.records import refuse_foreign
from landslide_cli.reporting import Reporter, SilentReporter, Table
from landslide_cli.stages.runs import check_fold, check_trained, load_run, tiling_of
from landslide_cli.stages.samples import scene_names
from landslide_cli.stages.sources import labelled_scenes_of, palette_of

RECORD = "infer.json"


@dataclass(frozen=True)
class MappedScene:
    """A scene's results: where they lie, its pixels, and the share of each class in them."""

    scene: str
    image: Path
    mask: Path
    overlay: Path
    width: int
    height: int
    class_shares: dict[str, float]


@dataclass(frozen=True)
class InferResult:
    """The mapped scenes.

    `scale` is the factor at which they were resized for the model; `threshold` the probability from
    which on a pixel is foreground, None: the most probable class.
    """

    folder: Path
    scenes: list[MappedScene]
    scale: float
    threshold: float | None

    def headline(self) -> str:
        """Say where the maps lie."""
        return f"{len(self.scenes)} scenes mapped: {self.folder}"

    def tables(self) -> Sequence[Table]:
        """Show each scene's size and foreground share."""
        classes = list(self.scenes[0].class_shares)[1:] if self.scenes else []
        rows = [
            (
                one.scene,
                f"{one.width} x {one.height}",
                *(f"{one.class_shares[name]:.1%}" for name in classes),
            )
            for one in self.scenes
        ]
        return [Table("scenes", ["scene", "pixels", *classes], rows)]

    def document(self) -> dict[str, Any]:
        """Return all of it."""
        scenes = [
            {name: str(value) if isinstance(value, Path) else value for name, value in one.items()}
            for one in map(asdict, self.scenes)
        ]
        return {
            "folder": str(self.folder),
            "scale": self.scale,
            "threshold": self.threshold,
            "scenes": scenes,
        }


def infer_tiled(
    profile: Profile,
    scenes: Sequence[str] = (),
    *,
    output: Path | None = None,
    limit: int | None = None,
    overwrite: bool = False,
    reporter: Reporter | None = None,
) -> InferResult:
    """Map whole scenes of any size with the profile's trained model.

    Args:
        profile: its `infer`, `classes`, `bands` and `run` are used.
        scenes: files, folders or globs. Default: `infer.scenes`, or else the source's scenes in the
            test part, or all of them where there is no split.
        output: folder of the results. Default: `infer.output`, or else `<run>/infer`.
        limit: take only the first scenes.
        overwrite: replace files that another program wrote.
        reporter: shown the progress.

    Raises:
        UsageError: the dataset is split into folds and the profile names none.
        ModelError: there is no model that fits.
        DataError: scenes are missing or cannot be read; those that can are mapped nevertheless.
    """
    reporter = reporter or SilentReporter()
    check_fold(profile)
    check_trained(profile)
    images = _images(profile, scenes or profile.infer.scenes)[:limit]
    maps = _Maps(output or maps_folder(profile))
    maps.check([image.stem for image in images], overwrite)
    run = load_run(profile)
    threshold = profile.infer.threshold or run.threshold
    tiling = tiling_of(profile, run)
    predict, classes = run.predict(), len(palette_of(profile))
    mapped: list[MappedScene] = []
    problems: list[str] = []
    with reporter.track("mapping scenes", len(images)) as advance:
        for path in images:
            try:
                image = read_image(path, profile.bands, profile.source.value_range)
            except DataError as error:
                problems.append(str(error))
            else:
                mask = mask_of(predict_scene(predict, image, classes, tiling), threshold)
                mapped.append(maps.write(path, image, mask, palette_of(profile)))
            advance()
    if problems:
        raise bad_files(problems)
    return InferResult(maps.folder, mapped, tiling.scale, threshold)


def maps_folder(profile: Profile) -> Path:
    """Return where the maps lie unless the command line says otherwise."""
    return profile.infer.output or profile.run_folder / "infer"


def mask_path(folder: Path, scene: str) -> Path:
    """Return where a scene's mask lies in the folder of the maps."""
    return folder / f"{scene}_mask.png"


class _Maps:
    """The output folder, and which of the files in it this program wrote."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            written = json.loads((folder / RECORD).read_text(encoding="utf-8"))["files"]
        except (OSError, ValueError, KeyError, TypeError):
            written = []
        self._mine = set(written)

    def check(self, scenes: Sequence[str], overwrite: bool) -> None:
        """Refuse to replace a file that this program did not write, unless told to."""
        paths = [path for scene in scenes for path in self._paths(scene)]
        refuse_foreign([path for path in paths if path.name not in self._mine], overwrite)

    def write(self, path: Path, image: Image, mask: Mask, palette: Palette) -> MappedScene:
        """Write a scene's mask and overlay, both or none."""
        mask_target, overlay_target = self._paths(path.stem)
        # Claimed before they are written: whatever stops the run, the next may replace them.
        self._mine |= {mask_target.name, overlay_target.name}
        write_json(self.folder / RECORD, {"files": sorted(self._mine)})
        with whole_file(mask_target) as mask_file, whole_file(overlay_target) as overlay_file:
            write_mask(mask_file, mask, palette)
            write_image(overlay_file, overlay(image, mask, palette))
        counts = np.bincount(mask.ravel(), minlength=len(palette))
        return MappedScene(
            scene=path.stem,
            image=path,
            mask=mask_target,
            overlay=overlay_target,
            width=mask.shape[1],
            height=mask.shape[0],
            class_shares=dict(zip(palette.names, (counts / mask.size).tolist(), strict=True)),
        )

    def _paths(self, scene: str) -> tuple[Path, Path]:
        return mask_path(self.folder, scene), self.folder / f"{scene}_overlay.png"


def _images(profile: Profile, patterns: Sequence[str]) -> list[Path]:
    if not patterns:
        return _test_images(profile)
    images = [path for pattern in patterns for path in _found(pattern)]
    names: dict[str, Path] = {}
    for path in images:
        if names.setdefault(path.stem, path) != path:
            raise DataError(
                f"{names[path.stem]} and {path} would both be written as {path.stem}_mask.png; "
                "map them one after the other with another --output"
            )
    return list(names.values())


def _found(pattern: str) -> list[Path]:
    files = find_files(pattern)
    if not files:
        raise DataError(f"{pattern}: no such image; name files, folders or globs")
    return files


def _test_images(profile: Profile) -> list[Path]:
    scenes = labelled_scenes_of(profile)
    test = scene_names(profile, "test")
    if test is None:
        return [scene.image for scene in scenes]
    return [scene.image for scene in scenes if scene.name in set(test)]
