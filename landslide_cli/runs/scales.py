"""At which scale and GSD the model sees scenes, and what to warn of."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from landslide_cli.core.tiling.scaling import Ratio
from landslide_cli.errors import LandslideError, listed
from landslide_cli.imagery.raster.georeference import gsd_of
from landslide_cli.imagery.raster.preprocessing import Preprocessing
from landslide_cli.imagery.raster.reader import SceneReader
from landslide_cli.imagery.raster.recognition import stem_of
from landslide_cli.reporting import Reporter

# GSDs that differ by no more than this share count as equal.
_EQUAL = 0.01


@dataclass(frozen=True)
class SceneScale:
    """How a scene is resized for the model.

    `scale_factors` are those of rows and columns; `model_gsd` is the GSD of the model's input in
    metres, None where the scene's own is not known; `warnings` say what to expect of the map,
    `notes` what of the scene's georeference and bands is not as usual.
    """

    scale_factors: tuple[float, float]
    model_gsd: float | None
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


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
    warnings = (*gsd_warnings(own, seen, preprocessing), *_told(scene.warning))
    return SceneScale((rows, cols), seen, warnings, (*_notes(scene), *_told(scene.note)))


def _told(remark: str | None) -> tuple[str, ...]:
    return () if remark is None else (remark,)


def report_scales(scales: Mapping[str, SceneScale], reporter: Reporter) -> list[str]:
    """Note GSD and georeference, and warn, with a line for all scenes that it concerns.

    Args:
        scales: by the name of the scene.
        reporter: told.

    Returns:
        The warnings.
    """
    seen = sorted(scale.model_gsd for scale in scales.values() if scale.model_gsd is not None)
    if seen:
        ends = dict.fromkeys(f"{gsd:.3g}" for gsd in (seen[0], seen[-1]))
        reporter.note(f"the model sees {' to '.join(ends)} m per pixel")
    for line in _lines({name: scale.notes for name, scale in scales.items()}):
        reporter.note(line)
    warnings = _lines({name: scale.warnings for name, scale in scales.items()})
    for line in warnings:
        reporter.warn(line)
    return warnings


def _lines(said: Mapping[str, Sequence[str]]) -> list[str]:
    """Say once what is said of several scenes, by their names."""
    concerned: dict[str, list[str]] = {}
    for name, remarks in said.items():
        for remark in remarks:
            concerned.setdefault(remark, []).append(name)
    return [f"{listed(names, most=3)}: {remark}" for remark, names in concerned.items()]


def scales_of(
    images: Sequence[Path], preprocessing_of: Callable[[Path], Preprocessing]
) -> dict[str, SceneScale]:
    """Return how scenes are resized, by name; without those that cannot be read or resized."""
    scales = {}
    for image in images:
        preprocessing = preprocessing_of(image)
        try:
            with SceneReader(image, preprocessing) as scene:
                scales[stem_of(image)] = scale_of(scene, preprocessing)
        except LandslideError:
            continue  # reported when the scene is predicted
    return scales


def _notes(scene: SceneReader) -> Iterator[str]:
    """Say what of a scene's georeference is not as usual, and what follows from it."""
    place, control = scene.georeference, scene.georeference.control
    if scene.is_warped:
        size = f"{scene.width} x {scene.height}"
        yield f"warped by its ground control points or RPCs: the maps have {size} pixels"
    if place.is_known:
        if place.is_local:
            yield "has a local CRS: areas are in square metres of its plane"
    elif control is not None:
        yield _of_control(control.kind, gsd_of(place, scene.width, scene.height))
    elif place.spoilt:
        yield "has a transform that gives pixels no size: mapped without it, areas are in pixels"
    elif place.crs is not None:
        yield "has a CRS and no transform: areas are in pixels"
    elif not place.transform.is_identity:
        yield (
            "has a transform and no known CRS: areas are in pixels; give it one, as by "
            "rio edit-info --crs EPSG:32648"
        )


def _of_control(kind: str, gsd: tuple[float, float] | None) -> str:
    if gsd is None:
        return (
            f"placed by {kind} alone, which do not tell where: the maps keep them, areas are in "
            "pixels"
        )
    return (
        f"placed by {kind} alone: its GSD is estimated from them, the maps keep them, areas are in "
        "pixels; infer.warp=true maps it warped, in square metres"
    )


def gsd_warnings(
    own: float | None, seen: float | None, preprocessing: Preprocessing
) -> Iterator[str]:
    """Say what may be wrong, by the scene's own GSD and that of the model's input, in metres."""
    if own is None or seen is None:
        why = {
            "agreement": "where turned views agree best: taken as",
            "gsd or scale": "right for",
        }.get(preprocessing.resized_by)
        if why is not None and preprocessing.gsd is not None:
            assumed = preprocessing.gsd * preprocessing.scale
            yield (
                f"GSD not known, so resized by {preprocessing.scale:.3g}, {why} {assumed:.3g} m "
                "per pixel; otherwise set infer.scale, or map a georeferenced file"
            )
        return
    if preprocessing.gsd_range is None:
        return
    least, largest = preprocessing.gsd_range
    trained = f"the model was trained for {least:.3g} to {largest:.3g} m"
    if own > largest * (1.0 + _EQUAL):
        yield f"{own:.3g} m per pixel; {trained}: expect most landslides to be missed"
    if not least / (1.0 + _EQUAL) <= seen <= largest * (1.0 + _EQUAL):
        yield f"resized to {seen:.3g} m per pixel; {trained}: expect a poor map"
