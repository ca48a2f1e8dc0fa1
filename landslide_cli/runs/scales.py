"""At which scale and GSD the model sees scenes, and what to warn of."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from landslide_cli.core.tiling.scaling import Ratio
from landslide_cli.errors import LandslideError, listed
from landslide_cli.imagery.raster.preprocessing import Preprocessing
from landslide_cli.imagery.raster.reader import SceneReader
from landslide_cli.reporting import Reporter

# GSDs that differ by no more than this share count as equal.
_EQUAL = 0.01


@dataclass(frozen=True)
class SceneScale:
    """How a scene is resized for the model.

    `scale_factors` are those of rows and columns; `model_gsd` is the GSD of the model's input in
    metres, None where the scene's own is not known; `warnings` say what to expect of the map.
    """

    scale_factors: tuple[float, float]
    model_gsd: float | None
    warnings: tuple[str, ...] = ()


def scale_of(scene: SceneReader, preprocessing: Preprocessing) -> SceneScale:
    """Return how a scene is resized for the model.

    Args:
        scene: opened with this preprocessing.
        preprocessing: of the run.

    Raises:
        DataError: as `SceneReader.scales`.
    """
    rows, cols = (Ratio.of(scale).scale for scale in scene.scales)
    sides = scene.gsd
    own = None if sides is None else (sides[0] * sides[1]) ** 0.5
    seen = None if own is None else own / (rows * cols) ** 0.5
    return SceneScale((rows, cols), seen, tuple(_warnings(own, seen, preprocessing)))


def report_scales(scales: Mapping[str, SceneScale], reporter: Reporter) -> list[str]:
    """Note the GSD of the model's input, and warn, with a line for all scenes that it concerns.

    Args:
        scales: by the name of the scene.
        reporter: told.

    Returns:
        The warnings.
    """
    seen = sorted(scale.model_gsd for scale in scales.values() if scale.model_gsd is not None)
    if seen:
        ends = dict.fromkeys(f"{gsd:.3g}" for gsd in (seen[0], seen[-1]))
        reporter.note(f"the model sees {' to '.join(ends)} m a pixel")
    concerned: dict[str, list[str]] = {}
    for name, scale in scales.items():
        for warning in scale.warnings:
            concerned.setdefault(warning, []).append(name)
    lines = [f"{listed(names, most=3)}: {warning}" for warning, names in concerned.items()]
    for line in lines:
        reporter.warn(line)
    return lines


def scales_of(
    images: Sequence[Path], preprocessing_of: Callable[[Path], Preprocessing]
) -> dict[str, SceneScale]:
    """Return how scenes are resized, by name; without those that cannot be read or resized."""
    scales = {}
    for image in images:
        preprocessing = preprocessing_of(image)
        try:
            with SceneReader(image, preprocessing) as scene:
                scales[image.stem] = scale_of(scene, preprocessing)
        except LandslideError:
            continue  # reported when the scene is predicted
    return scales


def _warnings(own: float | None, seen: float | None, preprocessing: Preprocessing) -> Iterator[str]:
    """Say what may be wrong, by the scene's own GSD and that of the model's input."""
    if own is None or seen is None:
        if preprocessing.resized_by == "gsd or scale" and preprocessing.gsd is not None:
            assumed = preprocessing.gsd * preprocessing.scale
            yield (
                f"no georeference, so resized by {preprocessing.scale:.3g}, right for "
                f"{assumed:.3g} m a pixel; otherwise set infer.scale, or map a georeferenced file"
            )
        return
    if preprocessing.gsd_range is None:
        return
    least, largest = preprocessing.gsd_range
    trained = f"the model was trained for {least:.3g} to {largest:.3g} m"
    if own > largest * (1.0 + _EQUAL):
        yield f"{own:.3g} m a pixel; {trained}: expect most landslides to be missed"
    if not least / (1.0 + _EQUAL) <= seen <= largest * (1.0 + _EQUAL):
        yield f"resized to {seen:.3g} m a pixel; {trained}: expect a poor map"
