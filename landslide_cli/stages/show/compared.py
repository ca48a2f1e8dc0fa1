"""The scenes of a comparison of two runs, with what either maps."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from landslide_cli.core.arrays import Image
from landslide_cli.core.palette import Mask
from landslide_cli.dataset.prepared import read_scene
from landslide_cli.dataset.scenes import Scene
from landslide_cli.documents import read_json
from landslide_cli.errors import ModelError
from landslide_cli.imagery.pictures import Picture, comparison, fitted, shown
from landslide_cli.profile import Profile
from landslide_cli.reporting import Reporter
from landslide_cli.runs.against import as_scored, profile_of_run
from landslide_cli.runs.files import EVALUATION, run_home
from landslide_cli.stages.show.fold_predictor import FoldPredictor
from landslide_cli.stages.show.report.comparison import ComparedScene
from landslide_cli.stages.show.report.runs import ScoredScene

# The worst and the best scenes of the other run that are shown beside this one's.
_OF_OTHER = 3
# Longer side of the pictures, in pixels.
_SIDE = 768


def compared_scenes(
    profile: Profile,
    scored: Sequence[ScoredScene],
    scenes: Mapping[str, Scene],
    predictor: FoldPredictor,
    limit: int | None,
    reporter: Reporter,
) -> list[ComparedScene]:
    """Draw the best and the worst scenes of two runs that `evaluate --against` has compared.

    Args:
        profile: of the run that was evaluated.
        scored: the scenes of it that are drawn already.
        scenes: the labelled scenes by their names.
        predictor: of that run.
        limit: of the other run draw only that many of the best and of the worst.
        reporter: shown the progress, and told if the other run is not there.

    Returns:
        The scenes, the greatest loss first; none without a comparison of whole scenes.
    """
    evaluation = read_json(run_home(profile) / EVALUATION) or {}
    found = evaluation.get("comparison")
    if not found or evaluation.get("units") != "scenes":
        return []
    drawn = {(scene.name, scene.fold): scene for scene in scored}
    lines = _chosen(found.get("scenes", []), drawn, min(limit or _OF_OTHER, _OF_OTHER))
    lines = [line for line in lines if line["scene"] in scenes]
    other = FoldPredictor(partial(_profile_of_other, profile, Path(found["against"])), reporter)
    result = []
    try:
        with reporter.track("drawing the scenes of both runs", len(lines)) as advance:
            for line in lines:
                scene, fold = scenes[line["scene"]], line["fold"]
                image, truth = read_scene(profile, scene, profile.infer.bands)
                rival = _compared(profile, image, truth.mask, other.mask(scene, fold))
                own = drawn.get((scene.name, fold))
                if own is not None:
                    picture, ours = own.image, own.comparison
                else:
                    picture = fitted(shown(image, profile.named_bands), _SIDE)
                    ours = _compared(profile, image, truth.mask, predictor.mask(scene, fold))
                dices = line["this"], line["other"]
                result.append(ComparedScene(scene.name, *dices, picture, ours, rival))
                advance()
    except ModelError as error:
        reporter.note(f"the report shows no scenes of the other run: {error}")
    return result


def _profile_of_other(profile: Profile, against: Path, fold: int | None) -> Profile:
    """Return the profile by which the other run predicts the scenes of this one's."""
    # The folder of a single fold is a run by itself.
    pooled = fold if profile.fold is None else None
    return as_scored(profile_of_run(against, pooled, profile), profile)


def _chosen(
    lines: Sequence[Mapping[str, Any]], drawn: Mapping[tuple[str, int | None], Any], most: int
) -> list[Mapping[str, Any]]:
    """Return the scenes drawn already, and the best and the worst of the other run, in order."""
    by_other = sorted(lines, key=lambda line: line["other"])
    extremes = [*by_other[:most], *by_other[-most:]]
    keys = {*drawn, *((line["scene"], line["fold"]) for line in extremes)}
    return [line for line in lines if (line["scene"], line["fold"]) in keys]


def _compared(profile: Profile, image: Image, truth: Mask, prediction: Mask) -> Picture:
    palette = profile.palette
    masks = (palette.only_foreground(mask) for mask in (truth, prediction))
    return fitted(comparison(shown(image, profile.named_bands), *masks), _SIDE)
