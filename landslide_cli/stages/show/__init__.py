"""`landslide show`: pictures of whatever the other steps have made."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from landslide_cli.core.palette import Mask, Palette
from landslide_cli.core.parts import PARTS, Part
from landslide_cli.dataset.groups import Evidence
from landslide_cli.dataset.prepared import (
    labelled_scenes_of,
    read_scene,
    synthetic_folder,
)
from landslide_cli.dataset.scenes import Scene
from landslide_cli.dataset.split_record import shared_ground
from landslide_cli.dataset.tiles import TileFiles, part_tiles
from landslide_cli.errors import DataError
from landslide_cli.imagery.pictures import (
    LEGEND,
    Picture,
    as_rgb,
    comparison,
    outlined,
    overlay,
    sheet,
    spread,
)
from landslide_cli.imagery.plots import (
    plot_curves,
    plot_frequency_area,
    plot_histogram,
    plot_shares,
)
from landslide_cli.imagery.raster.images import Preview, read_image, read_preview, write_image
from landslide_cli.imagery.raster.masks import read_mask
from landslide_cli.imagery.vector.polygon_files import read_areas
from landslide_cli.outputs import whole_file
from landslide_cli.profile import Profile
from landslide_cli.profile.train import higher_is_better
from landslide_cli.reporting import Reporter, Result, SilentReporter, Table
from landslide_cli.runs.files import (
    METRICS,
    MODEL,
    maps_folder,
    mask_path,
    polygon_files,
    run_home,
    worst_scenes,
)
from landslide_cli.runs.run import find_run
from landslide_cli.runs.scene_predictor import ScenePredictor, load_predictor
from landslide_cli.stages.show.augmentations import picture_augmentations

# Longest side at which the scenes of an overlapping pair are read, in pixels.
_PREVIEW = 768


@dataclass(frozen=True)
class ShowResult(Result):
    """The pictures that were written, or the network's layers."""

    files: list[Path] = field(default_factory=list)
    layers: list[dict[str, Any]] = field(default_factory=list)
    parameters: int = 0
    gflop: float = 0.0
    tile: int = 0

    def headline(self) -> str:
        """Name the pictures, one a line; or sum the network up."""
        if self.layers:
            return (
                f"{self.parameters:,} parameters, {self.gflop:.1f} GFLOP a tile of "
                f"{self.tile} x {self.tile} pixels"
            )
        return "\n".join(str(path) for path in self.files)

    def tables(self) -> Sequence[Table]:
        """List the network's layers."""
        if not self.layers:
            return []
        rows = [
            (
                one["name"],
                one["kind"],
                " x ".join(str(side) for side in one["shape"]),
                f"{one['parameters']:,}",
                f"{one['gflop']:.3f}",
            )
            for one in self.layers
        ]
        return [Table("layers", ["name", "kind", "output", "parameters", "GFLOP"], rows)]

    def document(self) -> dict[str, Any]:
        """Return all of it."""
        if self.layers:
            return {
                "tile": self.tile,
                "parameters": self.parameters,
                "gflop": self.gflop,
                "layers": self.layers,
            }
        return {"files": [str(path) for path in self.files]}


def show(
    profile: Profile,
    *,
    model: bool = False,
    augmentations: bool = False,
    output: Path | None = None,
    limit: int | None = None,
    reporter: Reporter | None = None,
) -> ShowResult:
    """Picture the scenes, the tiles, the dataset's statistics and the run's curves.

    Where there is a model or its masks, they are compared with the truth.

    Args:
        profile: its `show` and all folders are used.
        model: list the network's layers instead.
        augmentations: picture examples of train as `train.augment` changes them instead.
        output: folder of the pictures. Default: `show.output`, or else `<run>/show`, before
            the training `<dataset>/show`.
        limit: take only the first scenes and tiles.
        reporter: shown the progress and the notes.

    Raises:
        DataError: there is nothing to show, or it cannot be read.
    """
    reporter = reporter or SilentReporter()
    if model:
        return _layers(profile)
    # Before there is a run its folder stays free for `train`.
    home = run_home(profile)
    if home == profile.run_folder and not (home / MODEL).exists():
        home = profile.parts_folder
    folder = output or profile.show.output or home / "show"
    if augmentations:
        path = folder / "augmentations.png"
        picture_augmentations(profile, path, limit, reporter)
        return ShowResult([path])
    pictures = _Pictures(profile, folder)
    files = [
        *pictures.scenes(limit),
        *pictures.tiles(limit, reporter),
        *pictures.statistics(limit, reporter),
        *pictures.overlaps(limit, reporter),
        *pictures.worst(limit, reporter),
        *pictures.landslides(),
        *pictures.curves(),
    ]
    if not files:
        raise DataError("nothing to show yet; run `landslide prepare` first")
    return ShowResult(files)


def _layers(profile: Profile) -> ShowResult:
    from landslide_cli.core.networks.build import build_model, summarise_layers

    trained = (profile.run_folder / MODEL).exists()
    model = (
        find_run(profile).load()
        if trained
        else build_model(profile.model, profile.bands, profile.model_outputs, profile.train.seed)
    )
    tile = profile.tile_side
    layers = [asdict(layer) for layer in summarise_layers(model, tile, tile)]
    for layer in layers:
        layer["gflop"] = layer.pop("flop") / 1e9
    gflop = sum(layer["gflop"] for layer in layers)
    return ShowResult([], layers, model.count_params(), gflop, tile)


class _Pictures:
    """The pictures of one call, all in one folder."""

    def __init__(self, profile: Profile, folder: Path) -> None:
        self._profile = profile
        self._folder = folder
        self._palette = profile.palette
        self._predictors: dict[int | None, ScenePredictor] = {}
        self._parts = {part: tiles for part in PARTS if (tiles := _tiles_if_any(profile, part))}

    def scenes(self, limit: int | None) -> list[Path]:
        """Lay out scenes with mask, and with the masks that `infer-tiled` made of them."""
        maps = maps_folder(self._profile)
        scenes = _scenes_if_any(self._profile, limit)
        predicted = [one for one in scenes if mask_path(maps, one.name).exists()]
        rows = []
        for scene in spread(predicted or scenes, limit or self._profile.show.items):
            image, truth = read_scene(self._profile, scene, self._profile.infer.bands)
            prediction = self._mask(mask_path(maps, scene.name)) if predicted else None
            rows.append((scene.name, _row(image, truth.mask, prediction, self._palette)))
        return self._sheet("scenes.png", rows)

    def tiles(self, limit: int | None, reporter: Reporter) -> list[Path]:
        """Lay out tiles of a part, test before valid before train, with the model's masks."""
        part = next((part for part in reversed(PARTS) if part in self._parts), None)
        if part is None:
            return []
        chosen = spread(self._parts[part][:limit], limit or self._profile.show.items)
        run, predictor = None, None
        if (self._profile.run_folder / MODEL).exists():
            run = find_run(self._profile).for_tiles()
            images = [tile.image for tile in chosen]
            predictor = load_predictor(self._profile, run, images, reporter)
        rows = []
        with reporter.track(f"picturing {part} tiles", len(chosen)) as advance:
            for tile in chosen:
                image = read_image(tile.image, self._profile.bands)
                prediction = None
                if run is not None and predictor is not None:
                    prediction = predictor.predict(tile.image).mask(run.threshold)
                truth = self._mask(tile.mask)
                rows.append((tile.image.stem, _row(image, truth, prediction, self._palette)))
                advance()
        return self._sheet(f"tiles-{part}.png", rows)

    def statistics(self, limit: int | None, reporter: Reporter) -> list[Path]:
        """Draw each part's class shares, and how the tiles' foreground shares are distributed."""
        if not self._parts:
            return []
        tiles = {part: some[:limit] for part, some in self._parts.items()}
        shares: dict[str, Mapping[str, float]] = {}
        foreground: list[float] = []
        with reporter.track("counting classes", sum(map(len, tiles.values()))) as advance:
            for part, some in tiles.items():
                total = np.zeros(len(self._palette), np.int64)
                for tile in some:
                    counts = np.bincount(self._mask(tile.mask).ravel(), minlength=256)
                    counts = counts[: len(self._palette)]
                    foreground.append(float(counts[1:].sum() / max(1, counts.sum())))
                    total += counts
                    advance()
                values = (total / max(1, total.sum())).tolist()
                shares[part] = dict(zip(self._palette.names, values, strict=True))
        bars, histogram = self._folder / "classes.png", self._folder / "foreground.png"
        plot_shares(bars, "classes of the tiles", shares)
        plot_histogram(histogram, "tiles by their foreground", foreground)
        return [bars, histogram]

    def overlaps(self, limit: int | None, reporter: Reporter) -> list[Path]:
        """Lay out pairs of scenes that share ground, each with the outline of the other on it."""
        pairs = [one for one in shared_ground(self._profile) if one.transform is not None]
        images = {one.name: one.image for one in _scenes_if_any(self._profile, None)}
        pairs = [one for one in pairs if one.first in images and one.second in images]
        rows = []
        chosen = spread(pairs, limit or self._profile.show.items)
        with reporter.track("picturing overlaps", len(chosen)) as advance:
            for one in chosen:
                caption = f"{one.first} and {one.second}: {one}"
                rows.append((caption, _outlined(one, images[one.first], images[one.second])))
                advance()
        return self._sheet("overlaps.png", rows, ["the one", "the other"])

    def worst(self, limit: int | None, reporter: Reporter) -> list[Path]:
        """Lay out the scenes that the last evaluation on test named as the worst."""
        named = worst_scenes(run_home(self._profile))
        scenes = {one.name: one for one in _scenes_if_any(self._profile, None)} if named else {}
        named = [one for one in named if one["scene"] in scenes][:limit]
        rows = []
        with reporter.track("picturing the worst scenes", len(named)) as advance:
            for one in named:
                scene = scenes[one["scene"]]
                image, truth = read_scene(self._profile, scene, self._profile.infer.bands)
                prediction = self._predict(scene, one["fold"], reporter)
                caption = f"{scene.name}: Dice {one['dice']:.3f}"
                rows.append((caption, _row(image, truth.mask, prediction, self._palette)))
                advance()
        return self._sheet("worst.png", rows)

    def landslides(self) -> list[Path]:
        """Draw the sizes of the landslides that `infer-tiled` mapped; one picture a unit."""
        areas: dict[str, list[NDArray[np.float64]]] = {}
        for path in polygon_files(maps_folder(self._profile)):
            some, unit = read_areas(path)
            areas.setdefault(unit, []).append(some)
        files = []
        for unit, parts in sorted(areas.items()):
            values = np.concatenate(parts)
            if values.size:
                files.append(self._folder / f"frequency_area_{unit}.png")
                plot_frequency_area(files[-1], values, {"m2": "m²", "px": "pixels"}[unit])
        return files

    def curves(self) -> list[Path]:
        """Draw the run's curves."""
        try:
            with (self._profile.run_folder / METRICS).open(newline="", encoding="utf-8") as file:
                history = [
                    {name: float(value) for name, value in row.items()}
                    for row in csv.DictReader(file)
                ]
        except OSError:
            return []
        path = self._folder / "curves.png"
        watched = self._profile.train.watch
        if watched in history[0]:
            choose = max if higher_is_better(watched) else min
            best = choose(history, key=lambda row: row[watched])
        else:
            best = history[-1]  # there was no valid part
        plot_curves(path, history, round(best["epoch"]))
        return [path]

    def _mask(self, path: Path) -> Mask:
        return read_mask(path, self._palette, self._profile.prepare.nearest_colour).mask

    def _predict(self, scene: Scene, fold: int | None, reporter: Reporter) -> Mask:
        """Predict a scene as `infer-tiled` does, by the model of a fold if there are folds."""
        profile = self._profile.model_copy(update={"fold": fold})
        run = find_run(profile)
        if fold not in self._predictors:
            self._predictors = {fold: load_predictor(profile, run, [scene.image], reporter)}
        return self._predictors[fold].predict(scene.image).mask(run.threshold)

    def _sheet(
        self,
        name: str,
        rows: Sequence[tuple[str, list[Picture]]],
        columns: Sequence[str] | None = None,
    ) -> list[Path]:
        if not rows:
            return []
        compared = len(rows[0][1]) == 4
        if columns is None:
            is_packaged = run_home(self._profile) != self._profile.run_folder
            model = "packaged model" if is_packaged else "prediction"
            columns = ["image", "mask", model, "comparison"] if compared else _COLUMNS
        legend = LEGEND if compared else []
        path = self._folder / name
        with whole_file(path) as partial:
            write_image(partial, sheet(columns, rows, self._profile.show.cell, legend))
        return [path]


_COLUMNS = ["image", "mask", "mask on image"]


def _row(image: Picture, truth: Mask, prediction: Mask | None, palette: Palette) -> list[Picture]:
    pictures = [as_rgb(image), palette.colourise(truth)]
    if prediction is None:
        return [*pictures, overlay(image, truth, palette)]
    return [*pictures, palette.colourise(prediction), comparison(image, truth, prediction)]


def _outlined(pair: Evidence, first: Path, second: Path) -> list[Picture]:
    """Picture both scenes of a pair, reduced, each with the frame of the other."""
    ours, theirs = read_preview(first, _PREVIEW), read_preview(second, _PREVIEW)
    forth = np.vstack([pair.transform or np.eye(2, 3), [0.0, 0.0, 1.0]])
    return [
        outlined(ours.image, _frame(theirs, np.linalg.inv(forth)) * _reduction(ours)),
        outlined(theirs.image, _frame(ours, forth) * _reduction(theirs)),
    ]


def _frame(scene: Preview, transform: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the corners of a scene after a transform, (4, 2)."""
    width, height = scene.width, scene.height
    corners = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float64)
    return np.asarray(corners @ transform[:2, :2].T + transform[:2, 2])


def _reduction(scene: Preview) -> float:
    return float(scene.image.shape[1] / scene.width)


def _tiles_if_any(profile: Profile, part: Part) -> list[TileFiles]:
    return part_tiles(profile.parts_folder, part) if (profile.parts_folder / part).is_dir() else []


def _scenes_if_any(profile: Profile, limit: int | None) -> list[Scene]:
    source = profile.source
    named = source.images is not None and source.masks is not None
    drawn = source.synthetic is not None and synthetic_folder(profile).is_dir()
    return labelled_scenes_of(profile, limit) if named or drawn else []
