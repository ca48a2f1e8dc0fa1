"""A run's directory: the trained model with what is known of it."""

import zipfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from landslide_cli.errors import ModelError, UsageError
from landslide_cli.imagery.raster.preprocessing import Preprocessing
from landslide_cli.profile import Profile
from landslide_cli.records import damaged_record, read_json
from landslide_cli.runs.files import (
    MODEL,
    PACKAGED,
    RUN_RECORD,
    THRESHOLD,
    run_home,
    unfinished_folder,
    uses_packaged,
)


@dataclass(frozen=True)
class Run:
    """A trained model and what is known of it.

    `home` is the folder for what is derived from it, `folder` itself but for the packaged model.
    `outputs` is the number of channels that the model should have by the profile, `preprocessing`
    what scenes go through before it, `threshold` the least probability of foreground, None for the
    most probable class.
    """

    folder: Path
    home: Path
    outputs: int
    preprocessing: Preprocessing
    threshold: float | None

    @property
    def is_packaged(self) -> bool:
        """Whether it is the model in this package."""
        return self.folder == PACKAGED

    @property
    def file(self) -> Path:
        """The Keras model."""
        return self.folder / MODEL

    def load(self) -> Any:
        """Load the Keras model.

        Raises:
            ModelError: the file is damaged, or it was made for other bands or classes.
        """
        model = load_keras(self.file)
        check_channels(self.file, _channels(model), (self.preprocessing.bands, self.outputs))
        return model

    def for_tiles(self) -> "Run":
        """Return the run for images that are prepared already, such as the dataset's tiles."""
        return replace(self, preprocessing=Preprocessing(self.preprocessing.bands))


def find_run(
    profile: Profile, folder: Path | None = None, stored: Preprocessing | None = None
) -> Run:
    """Return the profile's run.

    With `model.weights: landslide` that is the packaged one as long as the profile has no model of
    its own.

    The profile's `infer` takes precedence over what the run has stored: `infer.gsd` and
    `infer.scale` over the scale of its training, `infer.threshold` over the threshold chosen on its
    validation set.

    Args:
        profile: its `run`, `fold`, `model.weights`, `bands`, `classes`, `source.value_range` and
            `infer` are used.
        folder: where the run lies if it is not the profile's.
        stored: what the scenes of its training went through, where that is not recorded yet.

    Raises:
        ModelError: there is no model.
        DataError: what the run has stored is damaged.
    """
    if folder is None:
        check_trained(profile)
    home = folder or run_home(profile)
    folder = PACKAGED if folder is None and uses_packaged(profile) else home
    stored, infer = stored or stored_preprocessing(folder, profile.bands), profile.infer
    preprocessing = replace(
        stored,
        bands=profile.bands,
        order=None if infer.bands is None else tuple(infer.bands),
        value_range=profile.source.value_range,
        scale=infer.scale or stored.scale,
        gsd=infer.gsd,
        nodata=infer.nodata,
    )
    threshold = infer.threshold if infer.threshold is not None else _threshold(folder)
    return Run(folder, home, profile.model_outputs, preprocessing, threshold)


def stored_preprocessing(folder: Path, bands: int) -> Preprocessing:
    """Return what the scenes of a run went through in its training.

    Args:
        folder: of the run; one without a record holds a model from elsewhere, which takes scenes
            as they are.
        bands: of such a model.

    Raises:
        DataError: the record is damaged.
    """
    document = read_json(folder / RUN_RECORD)
    if document is None:
        return Preprocessing(bands)
    try:
        return Preprocessing.recorded(document["result"], bands)
    except (KeyError, TypeError, ValueError) as error:
        raise damaged_record(folder / RUN_RECORD, error) from None


def load_keras(path: Path) -> Any:
    """Load a Keras model.

    Raises:
        ModelError: the file is damaged.
    """
    from landslide_cli.core.networks.backend import keras

    try:
        return keras.saving.load_model(path, compile=False)
    except Exception as error:  # Keras raises whatever its parsers raise
        damaged = "is a damaged model" if zipfile.is_zipfile(path) else "is not a Keras model"
        raise ModelError(
            f"{path}: {damaged}; run `landslide train` again, or name another `run`"
        ) from error


def check_channels(path: Path, channels: tuple[int | None, ...], expected: tuple[int, int]) -> None:
    """Check that a model was made for the profile's bands and classes.

    Args:
        path: of the model.
        channels: of its input and its output.
        expected: likewise, by the profile.

    Raises:
        ModelError: it was not.
    """
    if channels != expected:
        raise ModelError(
            f"{path}: expects {channels[0]} bands and gives {channels[1]} classes; the profile has "
            f"{expected[0]} and {expected[1]};\ntrain it again, or name another `run`"
        )


def check_trained(profile: Profile) -> None:
    """Check that there is a model file, before anything slow is started.

    Raises:
        ModelError: there is none.
    """
    path = profile.run_folder / MODEL
    if not path.is_file() and not uses_packaged(profile):
        unfinished = unfinished_folder(profile.run_folder)
        hint = f"; the training in {unfinished} has not finished" if unfinished.exists() else ""
        raise ModelError(f"{path}: no trained model{hint}; run `landslide train` first")


def check_fold(profile: Profile) -> None:
    """Check that the profile names a fold, if its dataset is split into folds.

    Raises:
        UsageError: it names none.
    """
    if profile.split.folds is not None and profile.fold is None:
        raise UsageError(
            f"the dataset is split into folds (split.folds); name one with --fold 1 to "
            f"{profile.split.folds}"
        )


def _channels(model: Any) -> tuple[int | None, int | None]:
    try:
        return model.input_shape[-1], model.output_shape[-1]
    except (AttributeError, TypeError, IndexError):
        return None, None


def _threshold(folder: Path) -> float | None:
    """Return the threshold that a training has stored, None for a model from elsewhere."""
    document = read_json(folder / THRESHOLD)
    if document is None:
        return None
    try:
        return float(document["threshold"])
    except (KeyError, TypeError, ValueError) as error:
        raise damaged_record(folder / THRESHOLD, error) from None
