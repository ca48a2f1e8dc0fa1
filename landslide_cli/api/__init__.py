"""The package from Python: probabilities, maps and scores without the command line.

Paths are texts or `Path`s, a profile may be given by its path, and arrays go in and come out. What
the command line warns of is a `LandslideWarning`. TensorFlow, OpenCV and rasterio are imported at
the first call that needs them.
"""

import json
import os
import sys
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from landslide_cli.core.parts import Part
from landslide_cli.errors import DataError, LandslideError
from landslide_cli.profile import Profile
from landslide_cli.profile import load_profile as _load_profile
from landslide_cli.reporting import Reporter, SilentReporter

if TYPE_CHECKING:
    from landslide_cli.api.maps import Maps
    from landslide_cli.stages.evaluate.result import EvaluateResult

__all__ = [
    "LandslideError",
    "LandslideWarning",
    "evaluate",
    "load_profile",
    "map_scenes",
    "predict",
]

AnyPath = str | os.PathLike[str]

# The profile of the packaged model.
_PACKAGED = "landslide"


class LandslideWarning(UserWarning):
    """A result may not be what one expects."""


def load_profile(
    path: AnyPath = _PACKAGED, overrides: Sequence[str] | Mapping[str, object] = ()
) -> Profile:
    """Read and check a profile.

    Args:
        path: the YAML file. Default: that of the packaged model.
        overrides: values by dotted keys, as in `{"infer.threshold": 0.4}`, or texts as after
            `--set`.

    Raises:
        ProfileError: the file cannot be read, or it or an override is not valid.
    """
    if isinstance(overrides, Mapping):
        overrides = [
            f"{key}={json.dumps(value, default=os.fspath)}" for key, value in overrides.items()
        ]
    return _load_profile(path, overrides)


def predict(
    image: NDArray[np.uint8] | AnyPath,
    profile: Profile | AnyPath = _PACKAGED,
    *,
    gsd: float | None = None,
    valid: NDArray[np.bool_] | None = None,
) -> NDArray[np.float32]:
    """Return the probability of landslides in an image that fits into memory.

    It is predicted as `infer-tiled` maps it: at the GSD of the model, in overlapping windows that
    are blended, with the test-time augmentation of the profile. The model is kept for the next
    call.

    Args:
        image: (height, width, bands) uint8, the bands in the model's order, such as red, green,
            blue; or the path of a raster, which is read as a scene.
        profile: whose model predicts. Default: the packaged one.
        gsd: of an array, in metres per pixel. If it is not given, and the model knows the GSD of
            its training, the scale is chosen by the agreement of turned views.
        valid: which pixels of an array hold data, (height, width). Default: all.

    Returns:
        float32 in [0, 1], NaN where there is no data: (height, width), the probability of
        landslide, where background is the only other class; otherwise (height, width, classes),
        background first.

    Raises:
        DataError: the image does not fit the model, or cannot be read.
        ModelError: there is no model that fits the profile.
        UsageError: the dataset is split into folds and the profile names none.
    """
    from landslide_cli.api.prediction import predicted_array, predicted_file

    profile, reporter = _profile(profile), _reporter(False)
    if isinstance(image, np.ndarray):
        return predicted_array(image, valid, gsd, profile, reporter)
    if gsd is not None or valid is not None:
        raise DataError("gsd and valid are of arrays; a raster says them itself")
    return predicted_file(Path(image), profile, reporter)


def map_scenes(
    scenes: AnyPath | Sequence[AnyPath] = (),
    profile: Profile | AnyPath = _PACKAGED,
    *,
    output: AnyPath | None = None,
    probability: bool = False,
    limit: int | None = None,
    overwrite: bool = False,
    progress: bool = False,
) -> "Maps":
    """Map scenes of any size, as `landslide infer-tiled` does.

    Args:
        scenes: files, folders or globs; one or several. Default: the profile's test scenes.
        profile: whose model maps. Default: the packaged one.
        output: folder of the maps. Default: `infer.output`, or else `<run>/infer`.
        probability: write the probability too.
        limit: take only the first scenes.
        overwrite: map all scenes again, and replace files that another program wrote.
        progress: shown on stderr.

    Returns:
        The mapped scenes, with the paths of their files. A scene that could not be mapped is in
        `failed`, with a warning.

    Raises:
        DataError: there are no scenes, or none could be mapped.
        LandslideError: as `landslide_cli.stages.infer.infer_tiled`.
    """
    from landslide_cli.api.maps import Maps
    from landslide_cli.stages.infer import infer_tiled

    patterns = [scenes] if isinstance(scenes, str | os.PathLike) else scenes
    result = infer_tiled(
        _profile(profile),
        [os.fspath(pattern) for pattern in patterns],
        output=None if output is None else Path(output),
        probability=probability,
        limit=limit,
        overwrite=overwrite,
        reporter=_reporter(progress),
    )
    if result.complaint is not None and not result.scenes:
        raise DataError(result.complaint)
    for failed in result.failed:
        warnings.warn(f"not mapped: {failed.reason}", LandslideWarning, stacklevel=2)
    return Maps(**vars(result))


def evaluate(
    profile: Profile | AnyPath,
    *,
    part: Part | None = None,
    folds: bool = False,
    against: AnyPath | None = None,
    limit: int | None = None,
    progress: bool = False,
) -> "EvaluateResult":
    """Score a model on a part of its dataset, as `landslide evaluate` does, and write the scores.

    Args:
        profile: of the model.
        part: train, valid or test. Default: `evaluate.part`.
        folds: pool the part of every fold, each as predicted by the model of that fold.
        against: the folder of another run, to be compared on the same scenes.
        limit: take only the first scenes or tiles.
        progress: shown on stderr.

    Returns:
        The scores by class, with intervals: `classes["landslide"].iou` and `.intervals["iou"]`.

    Raises:
        LandslideError: as `landslide_cli.stages.evaluate.evaluate`.
    """
    from landslide_cli.stages.evaluate import evaluate as score

    return score(
        _profile(profile),
        part=part,
        folds=folds,
        against=None if against is None else Path(against),
        limit=limit,
        reporter=_reporter(progress),
    )


class _WarningReporter(SilentReporter):
    """Turns warnings into Python's."""

    def warn(self, text: str) -> None:
        warnings.warn(text, LandslideWarning, stacklevel=_caller())


def _caller() -> int:
    """Return how many calls lie between a warning and the line of the user's that is its cause."""
    level = 1
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_globals.get("__name__", "").startswith("landslide_cli"):
        level, frame = level + 1, frame.f_back
    return level


def _profile(profile: Profile | AnyPath) -> Profile:
    return profile if isinstance(profile, Profile) else load_profile(profile)


def _reporter(progress: bool) -> Reporter:
    if not progress:
        return _WarningReporter()
    from landslide_cli import console

    return console.reporter_for(quiet=False)
