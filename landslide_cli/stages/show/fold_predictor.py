"""Predictions of scenes, each by the run of its fold."""

from collections.abc import Callable

from landslide_cli.core.palette import Mask
from landslide_cli.dataset.scenes import Scene
from landslide_cli.profile import Profile
from landslide_cli.reporting import Reporter
from landslide_cli.runs.planning import load_predictor
from landslide_cli.runs.run import find_run
from landslide_cli.runs.scene_predictor import ScenePredictor


class FoldPredictor:
    """Predicts scenes as `infer-tiled` does; the model of one fold is loaded at a time.

    Args:
        profile_of: returns the profile of a fold; None is that of a run without folds.
        reporter: warned if the engine is not the one asked for.
    """

    def __init__(self, profile_of: Callable[[int | None], Profile], reporter: Reporter) -> None:
        self._profile_of, self._reporter = profile_of, reporter
        self._loaded: tuple[int | None, ScenePredictor, float | None] | None = None

    def mask(self, scene: Scene, fold: int | None) -> Mask:
        """Return the class of each pixel of a scene, (rows, cols) uint8.

        Raises:
            DataError: the scene cannot be read, or does not fit the model.
            ModelError: there is no run of the fold, or its model cannot be used.
        """
        if self._loaded is None or self._loaded[0] != fold:
            profile = self._profile_of(fold)
            run = find_run(profile)
            predictor = load_predictor(profile, run, [scene.image], self._reporter)
            self._loaded = fold, predictor, run.threshold
        _, predictor, threshold = self._loaded
        return predictor.predict(scene.image).mask(threshold)
