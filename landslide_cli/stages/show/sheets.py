"""The pictures of scenes, tiles, maps and runs, on sheets and as plots."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from landslide_cli.core.arrays import Image
from landslide_cli.core.palette import Mask, Palette
from landslide_cli.core.parts import PARTS, Part
from landslide_cli.core.scores.confusion import confusion, foreground_scores
from landslide_cli.core.tiling.grid import Window
from landslide_cli.dataset.band_statistics import tile_composition
from landslide_cli.dataset.groups import Evidence
from landslide_cli.dataset.prepared import read_scene
from landslide_cli.dataset.scenes import Scene
from landslide_cli.dataset.sources import labelled_scenes_of, labels_folder, synthetic_folder
from landslide_cli.dataset.split_record import shared_ground
from landslide_cli.dataset.tiles import TileFiles, part_tiles
from landslide_cli.documents import write_json
from landslide_cli.errors import LandslideError
from landslide_cli.imagery.figures import SheetRow, write_sheet
from landslide_cli.imagery.pictures import (
    LEGEND,
    Picture,
    as_rgb,
    comparison,
    fitted,
    outlined,
    overlay,
    shown,
    spread,
)
from landslide_cli.imagery.plots import (
    plot_curves,
    plot_frequency_area,
    plot_histogram,
    plot_shares,
)
from landslide_cli.imagery.raster.images import ground_width, probe, read_tile
from landslide_cli.imagery.raster.masks import read_mask
from landslide_cli.imagery.raster.previews import Preview, read_class_preview, read_preview
from landslide_cli.imagery.raster.recognition import file_of, stem_of
from landslide_cli.profile import Profile
from landslide_cli.reporting import Reporter
from landslide_cli.runs.files import (
    MODEL,
    maps_folder,
    mask_path,
    overlay_path,
    run_home,
    uses_packaged,
)
from landslide_cli.runs.map_record import mapped_images
from landslide_cli.runs.planning import load_predictor
from landslide_cli.runs.run import find_run
from landslide_cli.runs.scales import report_scales, scales_of
from landslide_cli.runs.scene_scores import best_scenes, worst_scenes
from landslide_cli.stages.show.compared import compared_scenes
from landslide_cli.stages.show.fold_predictor import FoldPredictor
from landslide_cli.stages.show.history import History
from landslide_cli.stages.show.landslides import UNITS, Distribution
from landslide_cli.stages.show.report.comparison import ComparedScene
from landslide_cli.stages.show.report.runs import ScoredScene

# Longest side at which the scenes of a pair are read, in pixels.
_PREVIEW = 768
# Scenes with the highest scores that are shown beside those with the lowest.
_BEST = 3


class Sheets:
    """The pictures of a profile's scenes, tiles, maps and run, all in one folder.

    Each method writes its pictures and returns their paths, none where it has nothing to draw.
    `without_scenes` says why the labelled scenes of the source could not be drawn, if so.

    Args:
        profile: its `show` and all folders are used.
        folder: of the pictures.
        limit: use only the first scenes and tiles, and draw so many. Default: use all, and draw
            `show.items`.
        reporter: shown the progress, and the notes.
    """

    def __init__(
        self, profile: Profile, folder: Path, limit: int | None, reporter: Reporter
    ) -> None:
        self._profile, self._folder = profile, folder
        self._limit, self._reporter = limit, reporter
        self._items = limit or profile.show.items
        self._palette = profile.palette
        self._predictor = FoldPredictor(self._of_fold, reporter)
        self._drawn: set[Path] = set()
        self.without_scenes: LandslideError | None = None
        self.scored: list[ScoredScene] = []
        self._parts = {part: tiles for part in PARTS if (tiles := _tiles_if_any(profile, part))}

    def scenes(self) -> list[Path]:
        """Draw scenes with their masks, and with those of `infer-tiled` where there are any."""
        maps = maps_folder(self._profile)
        scenes = self._labelled(self._limit)
        masks = _masks_of(scenes, maps)
        self._drawn = set(masks.values())
        mapped = [scene for scene in scenes if scene.name in masks]
        rows = []
        for scene in spread(mapped or scenes, self._items):
            image, truth = read_scene(self._profile, scene, self._profile.infer.bands)
            window = None if scene.division is None else scene.division.window
            prediction = self._mask(masks[scene.name], window=window) if mapped else None
            metres = ground_width(scene.image, image.shape[1])
            rows.append(self._row(scene.name, self._shown(image), truth.mask, prediction, metres))
        return self._sheet("scenes", rows)

    def maps(self) -> list[Path]:
        """Draw what `infer-tiled` has mapped besides the labelled scenes: image, map, outlines."""
        folder = maps_folder(self._profile)
        images = {
            name: image
            for name, image in mapped_images(folder).items()
            if mask_path(folder, name) not in self._drawn and mask_path(folder, name).exists()
        }
        rows = []
        chosen = spread(sorted(images), self._items)
        with self._reporter.track("drawing maps", len(chosen)) as advance:
            for name in chosen:
                image, there = images[name], images[name].exists()
                if not there:
                    self._reporter.note(f"{image} is no longer there: {name} is drawn without it")
                classes = read_class_preview(mask_path(folder, name), _PREVIEW)
                outlines = read_preview(overlay_path(folder, name), _PREVIEW).image
                colours, picture = self._profile.shown_bands, outlines
                if there:
                    picture = read_preview(image, _PREVIEW, colours=colours).image
                pictures = [as_rgb(picture), self._palette.colourise(classes), outlines]
                mask = mask_path(folder, name)
                rows.append(SheetRow(name, pictures, metres=ground_width(mask)))
                advance()
        return self._sheet("maps", rows, ["image", "map", "map on image"])

    def tiles(self) -> list[Path]:
        """Draw tiles of the test, else the validation, else the training set, with predictions."""
        part = next((part for part in reversed(PARTS) if part in self._parts), None)
        if part is None:
            return []
        chosen = spread(self._parts[part][: self._limit], self._items)
        run, predictor = None, None
        if (self._profile.run_folder / MODEL).exists():
            run = find_run(self._profile).for_tiles()
            images = [tile.image for tile in chosen]
            predictor = load_predictor(self._profile, run, images, self._reporter)
        rows, composition = [], tile_composition(self._profile)
        with self._reporter.track(f"drawing {part} tiles", len(chosen)) as advance:
            for tile in chosen:
                image = read_tile(tile.image, self._profile.model_inputs, composition)
                prediction = None
                if run is not None and predictor is not None:
                    prediction = predictor.predict(tile.image).mask(run.threshold)
                truth = self._mask(tile.mask, tile.image)
                rows.append(self._row(tile.image.stem, self._shown(image), truth, prediction))
                advance()
        return self._sheet(f"tiles-{part}", rows)

    def _shown(self, image: Image) -> Picture:
        return shown(image, self._profile.named_bands)

    def statistics(self) -> list[Path]:
        """Plot each part's class shares, and the distribution of the tiles' foreground shares."""
        if not self._parts:
            return []
        tiles_of = {part: tiles[: self._limit] for part, tiles in self._parts.items()}
        shares: dict[str, Mapping[str, float]] = {}
        foreground: list[float] = []
        with self._reporter.track("counting classes", sum(map(len, tiles_of.values()))) as advance:
            for part, tiles in tiles_of.items():
                total = np.zeros(len(self._palette), np.int64)
                for tile in tiles:
                    counts = np.bincount(self._mask(tile.mask, tile.image).ravel(), minlength=256)
                    counts = counts[: len(self._palette)]
                    of_foreground = counts[list(self._palette.foreground)].sum()
                    foreground.append(float(of_foreground / max(1, counts.sum())))
                    total += counts
                    advance()
                values, names = (total / max(1, total.sum())).tolist(), self._palette.names
                shares[part] = {names[i]: values[i] for i in self._palette.meaningful}
        bars, histogram = self._path("classes"), self._path("foreground")
        plot_shares(bars, "classes of the tiles", shares)
        plot_histogram(histogram, "tiles by their foreground", foreground)
        return [bars, histogram]

    def overlaps(self) -> list[Path]:
        """Draw pairs of scenes that share ground, each with the outline of the other."""
        pairs = [pair for pair in shared_ground(self._profile) if pair.transform is not None]
        images = {scene.name: scene.image for scene in self._labelled(None)} if pairs else {}
        pairs = [pair for pair in pairs if pair.first in images and pair.second in images]
        rows = []
        chosen = spread(pairs, self._items)
        with self._reporter.track("drawing overlaps", len(chosen)) as advance:
            for pair in chosen:
                caption = f"{pair.first} and {pair.second}: {pair}"
                first, second = images[pair.first], images[pair.second]
                pictures = _outlined(pair, first, second)
                rows.append(SheetRow(caption, pictures, metres=ground_width(first)))
                advance()
        return self._sheet("overlaps", rows, ["first scene", "second scene"])

    def worst(self) -> list[Path]:
        """Draw the scenes with the lowest scores of the last evaluation on the test set.

        They and the scenes with the highest scores are kept in `scored`, for the report.
        """
        home = run_home(self._profile)
        worst = worst_scenes(home)[: self._limit]
        names = [self._palette.names[index] for index in self._palette.foreground]
        best = best_scenes(home, names, worst)[: self._limit or _BEST] if worst else []
        listed = self._labelled(None) if worst else []
        scenes = {scene.name: scene for scene in listed}
        entries = [entry for entry in (*worst, *best) if entry.scene in scenes]
        if entries:
            # The runs of all folds were trained alike.
            run = find_run(self._of_fold(entries[0].fold))
            images = [scenes[entry.scene].image for entry in entries]
            report_scales(scales_of(images, run.preprocessing_of), self._reporter)
        rows = []
        with self._reporter.track("drawing the worst scenes", len(entries)) as advance:
            for entry in entries:
                scene = scenes[entry.scene]
                image, truth = read_scene(self._profile, scene, self._profile.infer.bands)
                prediction = self._predictor.mask(scene, entry.fold)
                metres = ground_width(scene.image, image.shape[1])
                row = self._row(scene.name, self._shown(image), truth.mask, prediction, metres)
                picture, *_, compared = (fitted(drawn, _PREVIEW) for drawn in row.pictures)
                self.scored.append(
                    ScoredScene(scene.name, entry.fold, entry.dice, picture, compared)
                )
                if entry in worst:
                    rows.append(row)
                advance()
        return self._sheet("worst", rows)

    def compared(self) -> list[ComparedScene]:
        """Draw scenes of a comparison with another run, for the report; after `worst`."""
        scenes = {scene.name: scene for scene in self._labelled(None)} if self.scored else {}
        return compared_scenes(
            self._profile, self.scored, scenes, self._predictor, self._limit, self._reporter
        )

    def landslides(self, found: Sequence[Distribution]) -> list[Path]:
        """Plot the areas of the polygons that `infer-tiled` mapped, one picture per unit."""
        files, thing = [], self._palette.polygons[:-1]
        for distribution in found:
            files.append(self._path(f"frequency_area_{distribution.unit}"))
            unit = UNITS[distribution.unit]
            plot_frequency_area(files[-1], distribution.areas, unit, distribution.fitted, thing)
        if found:
            files.append(self._folder / "frequency_area.json")
            write_json(files[-1], {entry.unit: entry.document() for entry in found})
        return files

    def curves(self, history: History | None) -> list[Path]:
        """Plot the learning curves of the run."""
        if history is None:
            return []
        path = self._path("curves")
        plot_curves(path, history.rows, history.best_epoch)
        return [path]

    def _labelled(self, limit: int | None) -> list[Scene]:
        """List the labelled scenes; none where they cannot be used, as there may be maps or tiles.

        Those of the source may be on another machine, or never have been anywhere.
        """
        try:
            return _scenes_if_any(self._profile, limit)
        except LandslideError as error:
            self.without_scenes = error
            return []

    def _mask(self, path: Path, image: Path | None = None, window: Window | None = None) -> Mask:
        nearest = self._profile.prepare.nearest_colour
        return read_mask(path, self._palette, nearest, image, window=window).mask

    def _of_fold(self, fold: int | None) -> Profile:
        return self._profile.model_copy(update={"fold": fold})

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.{self._profile.show.format}"

    def _row(
        self,
        name: str,
        image: Picture,
        truth: Mask,
        prediction: Mask | None,
        metres: float | None = None,
    ) -> SheetRow:
        """Put the pictures of a scene into a row, with its scores if it was predicted."""
        palette = self._palette
        pictures = [as_rgb(image), palette.colourise(truth)]
        if prediction is None:
            return SheetRow(name, [*pictures, overlay(image, truth, palette)], metres=metres)
        of_foreground = palette.only_foreground(truth), palette.only_foreground(prediction)
        pictures += [palette.colourise(prediction), comparison(image, *of_foreground)]
        return SheetRow(name, pictures, _scores(truth, prediction, palette), metres)

    def _sheet(
        self, name: str, rows: Sequence[SheetRow], columns: Sequence[str] | None = None
    ) -> list[Path]:
        if not rows:
            return []
        has_predictions = len(rows[0].pictures) == 4
        if columns is None:
            columns = self._columns(has_predictions)
        legend = LEGEND if has_predictions else []
        if len(self._palette) > 2:
            names, colours = self._palette.names, self._palette.colours
            legend = [*legend, *((names[i], colours[i]) for i in self._palette.meaningful)]
        path = self._path(name)
        write_sheet(path, columns, rows, self._profile.show.cell, legend)
        return [path]

    def _columns(self, has_predictions: bool) -> list[str]:
        if not has_predictions:
            return ["image", "mask", "mask on image"]
        prediction = "packaged model" if uses_packaged(self._profile) else "prediction"
        return ["image", "mask", prediction, "comparison"]


def _scores(truth: Mask, prediction: Mask, palette: Palette) -> str:
    """Write the scores of the foreground; or that it is neither true nor mapped."""
    foreground, subject = list(palette.foreground), palette.subject
    counts = confusion(truth, prediction, max(2, len(palette)))
    if not counts[foreground].sum() + counts[:, foreground].sum():
        return f"no {subject}, and none mapped"
    scores = foreground_scores(counts, foreground)
    values = zip(("Dice", "IoU", "precision", "recall"), scores, strict=True)
    return f"{subject}: " + ", ".join(f"{name} {value:.3f}" for name, value in values)


def _outlined(pair: Evidence, first: Path, second: Path) -> list[Picture]:
    """Draw reduced images of both scenes of a pair, each with the frame of the other."""
    preview, other = read_preview(first, _PREVIEW), read_preview(second, _PREVIEW)
    to_second = np.vstack([pair.transform or np.eye(2, 3), [0.0, 0.0, 1.0]])
    return [
        outlined(preview.image, _frame(other, np.linalg.inv(to_second)) * _reduction(preview)),
        outlined(other.image, _frame(preview, to_second) * _reduction(other)),
    ]


def _frame(scene: Preview, transform: NDArray[np.float64]) -> NDArray[np.float64]:
    """Transform the corners of a scene; (4, 2), x and y."""
    width, height = scene.width, scene.height
    corners = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float64)
    return np.asarray(corners @ transform[:2, :2].T + transform[:2, 2])


def _reduction(scene: Preview) -> float:
    """Return the scale of a preview, pixels of the preview per pixel of the scene."""
    return float(scene.image.shape[1] / scene.width)


def _tiles_if_any(profile: Profile, part: Part) -> list[TileFiles]:
    return part_tiles(profile.parts_folder, part) if (profile.parts_folder / part).is_dir() else []


def _masks_of(scenes: Sequence[Scene], maps: Path) -> dict[str, Path]:
    """Return the masks that labelled scenes were mapped to, by their names.

    A mask is called after the scene's file or, if several files have its name, after the scene.
    That of a block is part of that of its scene.
    """
    images = mapped_images(maps)
    masks: dict[str, Path] = {}
    for scene in scenes:
        whole = scene.whole or scene
        for name in (stem_of(whole.image), whole.name):
            path = mask_path(maps, name)
            if scene.mask is not None and path.exists() and _is_of(path, whole, images.get(name)):
                masks.setdefault(scene.name, path)
    return masks


def _is_of(mask: Path, scene: Scene, image: Path | None) -> bool:
    """Whether a mask is of a scene: by the image that it was made from, if known, and by size."""
    if image is not None and image.exists() and not image.samefile(file_of(scene.image)[0]):
        return False
    mapped, own = probe(mask), probe(scene.image)
    return (mapped.height, mapped.width) == (own.height, own.width)


def _scenes_if_any(profile: Profile, limit: int | None) -> list[Scene]:
    for index, source in enumerate(profile.sources):
        has_labels = source.masks is not None or labels_folder(profile, index).is_dir()
        has_files = source.images is not None and has_labels
        is_drawn = source.synthetic is not None and synthetic_folder(profile, index).is_dir()
        if not has_files and not is_drawn:
            return []
    return labelled_scenes_of(profile, limit)
