"""Labelled scenes as parts of one raster: predicted as an orthophoto is, scored one by one.

A scene that is mapped by itself ends where whoever cut it out wanted it to end, usually around a
landslide in its middle. A model can learn that, and its score does not hold for an orthophoto. In
a mosaic the scenes lie at random places, turned, beside each other and between ground without
landslides, and no window coincides with one of them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from landslide_cli.core.palette import IGNORE, Mask
from landslide_cli.errors import DataError
from landslide_cli.imagery.mosaic import Canvas, Pair, Value, apart, resized, turned, turned_back
from landslide_cli.imagery.raster.images import probe
from landslide_cli.imagery.raster.preprocessing import Preprocessing
from landslide_cli.imagery.raster.reader import SceneReader
from landslide_cli.profile import Profile
from landslide_cli.runs.run import Run
from landslide_cli.runs.samples import Sample, truth_of
from landslide_cli.runs.scene_predictor import (
    Prediction,
    ScenePrediction,
    ScenePredictor,
)

# Pixels of the scenes of a mosaic; what surrounds them comes on top. A larger scene is alone.
_MOST_PIXELS = 2**24

# Scenes that are read at most to fill what the scored ones leave.
_MOST_BACKGROUND = 256

# In the masks of a mosaic: no data, where `IGNORE` is no label.
_NO_DATA = IGNORE - 1


@dataclass(frozen=True)
class _Part:
    """A scene in a mosaic: its place, its turn, and its ground truth, upright.

    `pixels` is how many of its own pixels one of the mosaic's stands for.
    """

    sample: Sample
    row: int
    col: int
    turn: int
    truth: Mask
    pixels: float


def predicted_mosaics(
    profile: Profile, predictor: ScenePredictor, run: Run, samples: Sequence[Sample]
) -> Iterator[Prediction]:
    """Predict scenes as parts of mosaics.

    Args:
        profile: its `source`, `classes`, `prepare.nearest_colour` and `evaluate.seed` are used.
        predictor: of the run.
        run: the model, with the preprocessing of the scenes.
        samples: scenes; those without a mask are background, which fills what the others leave.

    Yields:
        Each scene with a mask, upright; and for each mosaic its background, if there is any, with
        a ground truth that is 0 there and `IGNORE` elsewhere.

    Raises:
        DataError: no scene has a mask, or images or masks cannot be read or do not fit the model.
    """
    rng = np.random.default_rng((profile.evaluate.seed, 1))
    labelled = [sample for sample in samples if sample.mask is not None]
    background = [sample for sample in samples if sample.mask is None]
    if not labelled:
        raise DataError("none of the scenes has a mask, so there is nothing to lay out in a mosaic")
    scale = float(np.median([max(_scales(run, sample)) for sample in labelled]))
    surroundings = _Surroundings(profile, run, background or labelled, scale)
    model = Preprocessing(
        run.preprocessing.bands,
        scale=scale,
        standardized=run.preprocessing.standardized,
        composition=run.preprocessing.composition,
    )
    groups = _mosaics(labelled)
    for number, group in enumerate(groups, start=1):
        canvas, parts = _drawn(profile, run, group, scale, rng)
        is_scene = ~canvas.is_free
        canvas.fill(surroundings.draw, rng)
        valid = None if (canvas.mask != _NO_DATA).all() else canvas.mask != _NO_DATA
        predicted = predictor.predict_image(canvas.image, valid, model)
        for part in parts:
            yield Prediction(part.sample, part.truth, _cut(predicted, part), part.pixels)
        if background:
            truth = np.where(is_scene, np.uint8(IGNORE), np.uint8(0))
            sample = replace(background[0], name=f"background of mosaic {number}")
            count = len(background) if number == len(groups) else 0
            yield Prediction(sample, truth, predicted, samples=count)


class _Surroundings:
    """What is drawn around the scenes of a mosaic, at the scale of the mosaic."""

    def __init__(self, profile: Profile, run: Run, samples: Sequence[Sample], scale: float) -> None:
        self._profile, self._run, self._scale = profile, run, scale
        rng = np.random.default_rng((profile.evaluate.seed, 2))
        chosen = rng.permutation(len(samples))[:_MOST_BACKGROUND]
        self._samples = [samples[index] for index in chosen]
        self._read: dict[int, Pair] = {}

    def draw(self, rng: np.random.Generator) -> Pair:
        """Draw a scene, turned."""
        index = int(rng.integers(len(self._samples)))
        if index not in self._read:
            self._read[index] = _at_scale(
                self._profile, self._run, self._samples[index], self._scale
            )
        return turned(self._read[index], int(rng.integers(8)))


def _mosaics(samples: Sequence[Sample]) -> list[list[Sample]]:
    """Divide scenes into those of each mosaic, in their order."""
    groups: list[list[Sample]] = []
    pixels = 0
    for sample in samples:
        info = probe(sample.image)
        area = info.height * info.width
        if not groups or pixels + area > _MOST_PIXELS:
            groups.append([])
            pixels = 0
        groups[-1].append(sample)
        pixels += area
    return groups


def _drawn(
    profile: Profile, run: Run, samples: Sequence[Sample], scale: float, rng: np.random.Generator
) -> tuple[Canvas, list[_Part]]:
    """Draw the scenes of a mosaic, apart from each other."""
    turns = [int(turn) for turn in rng.integers(8, size=len(samples))]
    upright = [_at_scale(profile, run, sample, scale) for sample in samples]
    pairs = [turned(pair, turn) for pair, turn in zip(upright, turns, strict=True)]
    places, (rows, cols) = apart([(*pair[1].shape,) for pair in pairs], rng)
    canvas = Canvas(rows, cols, upright[0][0].shape[-1], upright[0][0].dtype)
    parts = []
    for sample, pair, turn, place, (_, mask) in zip(
        samples, pairs, turns, places, upright, strict=True
    ):
        canvas.put(pair, *place)
        truth = np.where(mask == _NO_DATA, np.uint8(IGNORE), mask)
        info = probe(sample.image)
        pixels = info.height * info.width / mask.size
        parts.append(_Part(sample, *place, turn, truth, pixels))
    return canvas, parts


def _at_scale(profile: Profile, run: Run, sample: Sample, scale: float) -> Pair:
    """Read a scene at the scale of its mosaic; `_NO_DATA` in the mask where it holds no data."""
    with SceneReader(sample.image, run.preprocessing_of(sample.image)) as reader:
        piece = reader.read((0, reader.height), (0, reader.width))
        factors = [own / scale for own in reader.scales]
    truth = truth_of(profile, sample, (reader.height, reader.width))
    if piece.valid is not None:
        truth = np.where(piece.valid, truth, np.uint8(_NO_DATA))
    size = [
        max(1, round(length * factor)) if abs(factor - 1.0) > 1e-3 else length
        for length, factor in zip(truth.shape, factors, strict=True)
    ]
    return resized((piece.image, truth), size[0], size[1])


def _scales(run: Run, sample: Sample) -> tuple[float, float]:
    preprocessing, info = run.preprocessing_of(sample.image), probe(sample.image)
    return preprocessing.scales_of(sample.image, info.georeference, info.height, info.width)


def _cut(predicted: ScenePrediction, part: _Part) -> ScenePrediction:
    """Cut a scene's prediction out of that of its mosaic, and turn it upright."""
    rows, cols = part.truth.shape if part.turn % 2 == 0 else part.truth.shape[::-1]
    there = slice(part.row, part.row + rows), slice(part.col, part.col + cols)

    def upright(values: NDArray[Value]) -> NDArray[Value]:
        return np.ascontiguousarray(turned_back(values[there], part.turn))

    valid = None if predicted.valid is None else upright(predicted.valid)
    return ScenePrediction(upright(predicted.probabilities), valid, predicted.chosen)
