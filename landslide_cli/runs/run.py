"""A run's directory: the trained model with what is known of it."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from landslide_cli.core.composition import Composition
from landslide_cli.dataset.band_statistics import composition_of
from landslide_cli.dataset.finding import find_files
from landslide_cli.dataset.layers import LayerFinder
from landslide_cli.dataset.sources import labelled_scenes_of
from landslide_cli.documents import read_json, restored
from landslide_cli.errors import LandslideError, ModelError, ProfileError, UsageError
from landslide_cli.imagery.raster.preprocessing import Preprocessing, ResizedBy
from landslide_cli.imagery.raster.recognition import array_in
from landslide_cli.profile import ExternalSettings, InferSettings, Profile, SourceSettings
from landslide_cli.records import check_file
from landslide_cli.runs.files import (
    MODEL,
    PACKAGED,
    RUN_RECORD,
    THRESHOLD,
    run_home,
    unfinished_folder,
    uses_packaged,
)
from landslide_cli.runs.keras_model import channels_of, check_channels, load_keras
from landslide_cli.runs.preprocessing import stored_preprocessing
from landslide_cli.weights import LICENCE


@dataclass(frozen=True)
class _Chosen:
    """The part of `threshold.json` that maps depend on."""

    threshold: float


@dataclass(frozen=True)
class Run:
    """A trained model and what is known of it.

    `home` is the folder for what is derived from it, `folder` itself but for the packaged model.
    `outputs` is the number of channels that the model should have by the profile, `preprocessing`
    what scenes go through before it, and `of_sources` what those of the profile's sources go
    through where it differs, by their resolved paths. `threshold` is the least probability of
    foreground, None for the most probable class. `architecture` is the path of a function outside
    this package that has built the model, None for one of this package's. `adds_background` tells
    that it has no output for the first class. `layers` are the globs of the files that bands are
    read from beside scenes, which the glob `images` has found.
    """

    folder: Path
    home: Path
    outputs: int
    preprocessing: Preprocessing
    threshold: float | None
    of_sources: Mapping[Path, Preprocessing] = field(default_factory=dict)
    architecture: str | None = None
    adds_background: bool = False
    layers: Mapping[str, str] = field(default_factory=dict)
    images: str | None = None

    @property
    def is_packaged(self) -> bool:
        """Whether it is the model in this package."""
        return self.folder == PACKAGED

    @property
    def licence(self) -> str | None:
        """The licence of the weights, by its SPDX name; None where it is not known."""
        return LICENCE if self.is_packaged else None

    @property
    def file(self) -> Path:
        """The Keras model."""
        return self.folder / MODEL

    def preprocessing_of(self, image: Path) -> Preprocessing:
        """Return what a scene goes through before the model.

        Raises:
            DataError: it needs a layer that there is no file of.
        """
        own = self.preprocessing
        if self.of_sources:
            own = self.of_sources.get(_real(image), own)
        composition = own.composition
        if composition is None or not composition.layers or own.layers:
            return own
        finder = LayerFinder(self.layers, composition.layers, self.images)
        return replace(own, layers=finder.of(image))

    def with_preprocessing(self, own: Mapping[Path, Preprocessing]) -> "Run":
        """Return the run with what some scenes go through instead, by their paths."""
        by_path = {_real(image): preprocessing for image, preprocessing in own.items()}
        return replace(self, of_sources={**self.of_sources, **by_path})

    def load(self) -> Any:
        """Load the Keras model.

        Raises:
            ModelError: the file is damaged, or it was made for other bands or classes.
        """
        model = load_keras(self.file, self.architecture)
        check_channels(self.file, channels_of(model), (self.preprocessing.bands, self.outputs))
        return model

    def for_tiles(self) -> "Run":
        """Return the run for images that are prepared already, such as the dataset's tiles."""
        of_scenes = self.preprocessing
        composition = of_scenes.composition
        if composition is not None:
            composition = composition.of_tiles(of_scenes.standardized)
        preprocessing = Preprocessing(
            of_scenes.bands, resized_by="nothing", composition=composition
        )
        return replace(self, preprocessing=preprocessing, of_sources={})


def find_run(
    profile: Profile, folder: Path | None = None, stored: Preprocessing | None = None
) -> Run:
    """Return the profile's run.

    With `model.weights: landslide` that is the packaged one as long as the profile has no model of
    its own.

    The profile's `infer` takes precedence over what the run has stored: `infer.gsd` and
    `infer.scale` over the GSD and scale of its training, `infer.threshold` over the threshold
    chosen on its validation set.

    Args:
        profile: its `run`, `fold`, `model.weights`, `bands`, `classes`, `source.value_range` and
            `infer` are used.
        folder: where the run lies if it is not the profile's.
        stored: what the scenes of its training went through, where that is not recorded yet.

    Raises:
        ModelError: there is no model.
        DataError: what the run has stored is damaged.
        ProfileError: `infer.layers` names one that no band of the model is read from.
    """
    if folder is None:
        check_trained(profile)
    home = folder or run_home(profile)
    folder = PACKAGED if folder is None and uses_packaged(profile) else home
    for name in (MODEL, THRESHOLD):
        check_file(folder / name, folder / RUN_RECORD)
    stored, infer = stored or stored_preprocessing(folder, profile.model_inputs), profile.infer
    order = _order(profile, profile.sources[0]) or stored.order
    composition = _composition(profile, stored, order)
    _check_layers(infer, composition)
    preprocessing = replace(
        stored,
        bands=profile.model_inputs,
        order=order,
        composition=composition,
        value_range=profile.sources[0].value_range,
        scale=infer.scale or stored.scale,
        gsd=infer.gsd if isinstance(infer.gsd, float) else stored.gsd,
        own_gsd=_assumed_gsd(profile, composition),
        resized_by=_resized_by(infer),
        nodata=infer.nodata,
    )
    threshold = infer.threshold if infer.threshold is not None else _threshold(folder)
    of_sources = _of_sources(profile, stored, preprocessing)
    return Run(
        folder,
        home,
        outputs=profile.model_outputs,
        preprocessing=preprocessing,
        threshold=threshold,
        of_sources=of_sources,
        architecture=architecture_path(profile),
        adds_background=profile.palette.ignores_background,
        layers=infer.layers or profile.sources[0].layers or {},
        images=profile.sources[0].images if infer.layers is None else None,
    )


def _composition(
    profile: Profile, stored: Preprocessing, order: tuple[int, ...] | None
) -> Composition | None:
    """Return what the bands of the run's input are: as stored, or by the profile if not known."""
    composition = stored.composition or composition_of(profile)
    if composition is None or order is None:
        return composition
    return composition.with_order(order)


def _assumed_gsd(profile: Profile, composition: Composition | None) -> float | None:
    """Return the GSD of scenes that are of no source and have no georeference, to derive slopes.

    It is that of the sources, if it is the same for all.
    """
    gsds = {source.gsd for source in profile.sources}
    return gsds.pop() if composition is not None and composition.halo and len(gsds) == 1 else None


def _check_layers(infer: InferSettings, composition: Composition | None) -> None:
    read = () if composition is None else composition.layers
    for name in infer.layers or {}:
        if name not in read:
            known = f"it reads {', '.join(read)}" if read else "it reads none"
            raise ProfileError(f"infer.layers.{name}: the model has no such layer; {known}")


def architecture_path(profile: Profile) -> str | None:
    """Return the path of the function that builds the profile's model; None for one of ours."""
    model = profile.model
    return model.architecture if isinstance(model, ExternalSettings) else None


def _of_sources(
    profile: Profile, stored: Preprocessing, preprocessing: Preprocessing
) -> dict[Path, Preprocessing]:
    """Return what the scenes of each source go through, where it is not the same for all.

    `infer` takes precedence over what the sources say.
    """
    first = profile.sources[0]
    if len(profile.sources) == 1 and first.scale is first.gsd is None and not profile.layer_names:
        return {}
    result: dict[Path, Preprocessing] = {}
    for source in profile.sources:
        order = _order(profile, source)
        own = replace(
            preprocessing,
            order=order,
            composition=_composition(profile, stored, order),
            value_range=source.value_range,
            own_gsd=source.gsd,
        )
        # How a source is shown in training says nothing where its GSD and the model's are known.
        is_unknown = source.gsd is None or preprocessing.gsd is None
        if source.scale is not None and is_unknown and preprocessing.resized_by == "gsd or scale":
            own = replace(own, scale=source.scale, resized_by="scale")
        files = find_files(source.images) if source.images is not None else []
        result |= {_real(array_in(path, source.key)): own for path in files}
    return result | _of_layered(profile, result)


def _of_layered(
    profile: Profile, of_sources: Mapping[Path, Preprocessing]
) -> dict[Path, Preprocessing]:
    """Return what labelled scenes go through with their own layers; blocks have those of theirs."""
    if not profile.layer_names or profile.infer.layers is not None:
        return {}
    try:
        scenes = labelled_scenes_of(profile)
    except LandslideError:
        return {}  # none yet, or no longer: scenes are given by name
    return {
        _real(scene.image): replace(own, layers=scene.layers)
        for scene in scenes
        if (own := of_sources.get(_real((scene.whole or scene).image))) is not None
    }


def _real(path: Path) -> Path:
    # `resolve` raises at a link that leads to itself.
    return Path(os.path.realpath(path))


def _order(profile: Profile, source: SourceSettings) -> tuple[int, ...] | None:
    order = profile.infer.bands or source.bands or profile.band_order
    return None if order is None else tuple(order)


def _resized_by(infer: InferSettings) -> ResizedBy:
    if infer.scale is not None or infer.gsd is None:
        return "scale"
    return "gsd" if isinstance(infer.gsd, float) else "gsd or scale"


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
            f"{profile.split.folds} (`evaluate --folds` pools all)"
        )


def _threshold(folder: Path) -> float | None:
    """Return the threshold that a training has stored, None for a model from elsewhere."""
    path = folder / THRESHOLD
    document = read_json(path)
    return None if document is None else restored(_Chosen, document, path, others=True).threshold
