"""Predictions of a few scenes after each epoch: how a model comes to see landslides."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from landslide_cli.dataset.prepared import read_scene
from landslide_cli.dataset.scenes import Scene
from landslide_cli.dataset.sources import labelled_scenes_of
from landslide_cli.errors import ProfileError, listed
from landslide_cli.imagery.pictures import captioned, comparison, fitted, shown, strip, write_film
from landslide_cli.imagery.raster.images import read_image, write_picture
from landslide_cli.outputs import whole_file
from landslide_cli.profile import Profile
from landslide_cli.runs.engines import TensorFlowEngine
from landslide_cli.runs.planning import training_plan
from landslide_cli.runs.run import Run
from landslide_cli.runs.scene_predictor import ScenePredictor

PREVIEWS = "previews"
SIDE = 512  # pixels, the longer side of a preview
FRAMES = 8  # of a film strip
FRAME_SECONDS = 0.4  # of a film


class Previews:
    """The profile's `train.preview_scenes`, drawn after each epoch, as film strip and as film.

    Pictures go to `<run>/previews/<scene>/epoch_NNNN.png`, film strips to `<scene>.png` and films
    to `<scene>.gif` beside.

    Raises:
        ProfileError: there is no scene of such a name.
    """

    def __init__(self, profile: Profile, model: Any, run: Run) -> None:
        self._profile = profile
        self._folder = run.folder / PREVIEWS
        self._scenes = _chosen(profile, profile.train.preview_scenes)
        engine = TensorFlowEngine(model, run.adds_background)
        plan = training_plan(profile)
        self._predictor = ScenePredictor(profile, run, plan, engine)

    def add(self, epoch: int) -> None:
        """Predict the scenes with the model as it is now."""
        for scene in self._scenes:
            image, truth = read_scene(self._profile, scene, self._profile.infer.bands)
            predicted = self._predictor.predict(scene.image).mask(threshold=None)
            labels, mapped = map(self._profile.palette.only_foreground, (truth.mask, predicted))
            with whole_file(self._picture(scene, epoch)) as partial:
                picture = shown(image, self._profile.named_bands)
                write_picture(partial, fitted(comparison(picture, labels, mapped), SIDE))

    def finish(self, epochs: int) -> None:
        """Put each scene's pictures side by side, and into a film that plays them.

        Args:
            epochs: that there were; the strip shows a few of them, from the first to the last.
        """
        for scene in self._scenes:
            # A scene may have been added after some epochs.
            drawn = [
                epoch for epoch in range(1, epochs + 1) if self._picture(scene, epoch).exists()
            ]
            spread = np.linspace(0, len(drawn) - 1, min(FRAMES, len(drawn)))
            chosen = [drawn[round(index)] for index in spread]
            captions = [f"epoch {epoch}" for epoch in chosen]
            pictures = [read_image(self._picture(scene, epoch), 3) for epoch in chosen]
            with whole_file(self._folder / f"{scene.name}.png") as partial:
                write_picture(partial, strip(scene.name, pictures, captions, SIDE // 2))
            frames = (
                captioned(read_image(self._picture(scene, epoch), 3), f"epoch {epoch}")
                for epoch in drawn
            )
            with whole_file(self._folder / f"{scene.name}.gif") as partial:
                write_film(partial, frames, FRAME_SECONDS)

    def _picture(self, scene: Scene, epoch: int) -> Path:
        return self._folder / scene.name / f"epoch_{epoch:04d}.png"


def _chosen(profile: Profile, names: Sequence[str]) -> list[Scene]:
    if not names:
        return []
    scenes = {scene.name: scene for scene in labelled_scenes_of(profile)}
    unknown = [name for name in names if name not in scenes]
    if unknown:
        raise ProfileError(
            f"train.preview_scenes: no scene is called {listed(unknown, most=3)}; "
            f"there are {listed(list(scenes), most=3)}"
        )
    return [scenes[name] for name in names]
