"""A trained model as one file for other programs, such as QGIS's plugin Deepness."""

import json
from pathlib import Path

from landslide_cli.outputs import whole_file
from landslide_cli.profile import Profile
from landslide_cli.reporting import Reporter
from landslide_cli.runs.onnx_model import onnx_model
from landslide_cli.runs.openvino_model import converted, fingerprint_of
from landslide_cli.runs.run import Run, find_run
from landslide_cli.version import __version__

NAME = "model.onnx"

# Pixels of the model in a tile, where the profile names none: two cells of the standardization.
_SIDE = 512


def export_onnx(profile: Profile, path: Path, reporter: Reporter) -> Path:
    """Write the model in ONNX, with what Deepness reads of how to use it.

    The keys are those of its documentation, "Adding metadata to ONNX model", and `tile_size`, which
    its code reads instead of `tiles_size`; values are JSON.

    Args:
        profile: its model, classes, `infer.tile` and `infer.overlap` are used.
        path: to write to.
        reporter: told what is not in the file.

    Returns:
        The path.

    Raises:
        ModelError: there is no model, or it has operations without a translation.
        UsageError: the package onnx is not installed.
    """
    run = find_run(profile)
    side = _side(profile)
    network = converted(run.file, reporter, run.home, run.architecture)
    standardized = run.preprocessing.standardized
    with reporter.working("translating the network"):
        content = onnx_model(network, side, standardized, _metadata(profile, run, side))
    with whole_file(path) as partial:
        partial.write_bytes(content)
    if run.preprocessing.gsd is None:
        reporter.note("the model's metres per pixel are not known: say them where you use it")
    if run.preprocessing.composition is not None:
        reporter.note(
            "the model takes its bands as `bands` in the profile derives and scales them, divided "
            "by 255: other programs have to do that before"
        )
    if standardized:
        reporter.note(
            "each tile is standardized by itself, where infer-tiled has statistics that change "
            "slowly over the scene: expect slightly other maps"
        )
    return path


def _side(profile: Profile) -> int:
    tile, multiple = profile.infer.tile, profile.model.multiple
    side = tile if isinstance(tile, int) else _SIDE
    return -(-side // multiple) * multiple


def _metadata(profile: Profile, run: Run, side: int) -> dict[str, str]:
    """Return what is stored with the model, by the names that Deepness gives it."""
    names = [item.name for item in profile.classes if not item.ignore]
    if len(names) == 1:
        names = ["background", *names]  # a sigmoid's
    bands = run.preprocessing.bands
    overlap = min(profile.infer.overlap, side // 2)
    values: dict[str, object] = {
        "model_type": "Segmentor",
        "class_names": {str(number): name for number, name in enumerate(names)},
        "tile_size": side,
        "tiles_size": side,
        "tiles_overlap": round(100 * overlap / side),
        # Scaling and standardization are in the network.
        "standardization_mean": [0.0] * bands,
        "standardization_std": [1.0] * bands,
        "software": f"landslide {__version__}",
        "model": fingerprint_of(run.file, run.home),
    }
    if run.preprocessing.gsd is not None:
        values["resolution"] = 100 * run.preprocessing.gsd  # centimetres per pixel
    if run.threshold is not None:
        values["seg_thresh"] = run.threshold
    if run.licence is not None:
        values["licence"] = run.licence
    return {key: json.dumps(value) for key, value in values.items()}
