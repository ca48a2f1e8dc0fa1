"""What a training is made from: settings and files, and the libraries and the machine."""

import hashlib
import json
import os
import platform
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from landslide_cli.dataset.prepared import READING
from landslide_cli.imagery.raster.scene_files import files_of
from landslide_cli.profile import Profile
from landslide_cli.records import Step
from landslide_cli.runs.files import RUN_RECORD
from landslide_cli.runs.run import architecture_path
from landslide_cli.stages.train.warm_start import start_file
from landslide_cli.training_data.inputs import PartFiles
from landslide_cli.version import __version__

# Settings that have no effect on the result.
_WITHOUT_EFFECT = (
    "train.cache",
    "train.checkpoint_minutes",
    "train.int8",
    "train.tensorboard",
)


def training_step(
    profile: Profile, parts: Sequence[PartFiles], limit: int | None, overwrite: bool
) -> Step:
    """Describe a training by its settings and files.

    Args:
        profile: of the training.
        parts: the files of its training and validation set.
        limit: as of `train`.
        overwrite: whether a damaged record of the run counts as none.

    Raises:
        ModelError: what `model.weights` names does not exist.
        DataError: the record of the run is damaged.
    """
    sections = ["model", "train", "classes", "bands", "prepare.nearest_colour"]
    if profile.train.crop is not None:
        sections += ["prepare.resize", "prepare.scale", "prepare.gsd", "prepare.standardize"]
    settings = profile.settings(*sections) | {"limit": limit}
    if profile.train.crop is not None:
        settings |= profile.source_settings(*READING, "zoom", "weight")
    for key in _WITHOUT_EFFECT:
        settings.pop(key)
    files = files_of(path for part in parts for path in part.files)
    start = start_file(profile)
    files += [] if start is None else [start]
    files += _architecture_files(profile)
    return Step.of(profile.run_folder / RUN_RECORD, settings, files, overwrite)


def _architecture_files(profile: Profile) -> list[Path]:
    """Return the module that builds the network, if it lies outside this package."""
    path = architecture_path(profile)
    if path is None:
        return []
    from landslide_cli.core.networks.import_path import source_file

    file = source_file(path)
    return [] if file is None else [file]


def digest_of(step: Step) -> bytes:
    """Describe settings and contents in a few bytes; folders may differ between machines."""
    files = sorted((Path(name).name, file.digest) for name, file in step.inputs.items())
    text = json.dumps([step.settings, files], sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=16).digest()


def versions() -> dict[str, str]:
    """Return the versions of Python, this package and the libraries that bits may depend on."""
    packages = ("tensorflow", "keras", "numpy", "opencv-python-headless", "rasterio")
    own = {"landslide-cli": __version__, "python": platform.python_version()}
    return own | {name: version(name) for name in packages}


def hardware() -> dict[str, Any]:
    """Describe the machine, as far as bits may depend on it; loads TensorFlow."""
    from landslide_cli.core.networks.backend import tf

    return {
        "machine": platform.machine(),
        "system": platform.platform(),
        "cores": os.cpu_count(),
        "gpus": [device.name for device in tf.config.list_physical_devices("GPU")],
        "threads_within_an_operation": tf.config.threading.get_intra_op_parallelism_threads(),
        "onednn": os.environ.get("TF_ENABLE_ONEDNN_OPTS", "default"),
    }
