"""A trained model as a file for other programs, such as QGIS's plugin Deepness."""

import json
import math
from pathlib import Path
from typing import Literal

from landslide_cli.outputs import whole_file, write_text
from landslide_cli.profile import Profile
from landslide_cli.reporting import Reporter
from landslide_cli.runs.exported import Tiles
from landslide_cli.runs.litert_model import litert_model
from landslide_cli.runs.onnx_model import onnx_model
from landslide_cli.runs.openvino_model import converted, fingerprint_of
from landslide_cli.runs.run import Run, find_run
from landslide_cli.version import __version__

Format = Literal["onnx", "litert"]

# The file of each format; beside that of LiteRT, which has no place for it, what is to be known.
NAMES: dict[Format, str] = {"onnx": "model.onnx", "litert": "model.tflite"}
DESCRIPTION = "model.tflite.json"

# Pixels of the model in a tile, where the profile names none: two cells of the standardization.
_SIDE = 512


def export_model(
    profile: Profile, folder: Path, model_format: Format, reporter: Reporter
) -> list[Path]:
    """Write the model for other programs, after its answers were compared with the model's own.

    Args:
        profile: its model, classes, `infer.tile` and `infer.overlap` are used.
        folder: to write to.
        model_format: `onnx`, with what Deepness reads of how to use it, or `litert`.
        reporter: told what is not in the file.

    Returns:
        The files.

    Raises:
        ModelError: there is no model, it has operations that the format lacks, or the file would
            answer otherwise.
        UsageError: the packages for ONNX are not installed.
    """
    run = find_run(profile)
    tiles = _tiles(profile, run)
    path = folder / NAMES[model_format]
    if model_format == "onnx":
        network = converted(run.file, reporter, run.home, run.architecture)
        with reporter.working("translating the network"):
            content = onnx_model(network, tiles, _metadata(profile, run, tiles))
        files = [path]
        if run.threshold is not None and run.threshold < 0.5 and len(_class_names(profile)) == 2:
            reporter.note(
                f"Deepness maps the more probable class, so that the threshold {run.threshold:g} "
                "acts as 0.5 there: expect less to be mapped"
            )
    else:
        with reporter.working("loading TensorFlow and converting the network"):
            content = litert_model(run.load(), tiles)
        files = [path, folder / DESCRIPTION]
        write_text(files[1], json.dumps(_description(profile, run, tiles), indent=2) + "\n")
    with whole_file(path) as partial:
        partial.write_bytes(content)
    _note(run, tiles, reporter)
    return files


def _note(run: Run, tiles: Tiles, reporter: Reporter) -> None:
    """Tell what the file leaves to whoever uses it."""
    if run.preprocessing.gsd is None:
        reporter.note("the model's metres per pixel are not known: say them where you use it")
    if run.preprocessing.composition is not None:
        reporter.note(
            "the model takes its bands as `bands` in the profile derives and scales them, divided "
            "by 255: other programs have to do that before"
        )
    if tiles.standardized:
        reporter.note(
            "each tile is standardized by itself, where infer-tiled has statistics that change "
            "slowly over the scene: expect slightly other maps"
        )


def _tiles(profile: Profile, run: Run) -> Tiles:
    tile, multiple = profile.infer.tile, profile.model.multiple
    side = tile if isinstance(tile, int) else _SIDE
    side = math.ceil(side / multiple) * multiple
    preprocessing, composition = run.preprocessing, run.preprocessing.composition
    kept = () if composition is None else composition.kept
    standardized = [band for band in range(preprocessing.bands) if band not in kept]
    return Tiles(
        side,
        preprocessing.bands,
        tuple(standardized) if preprocessing.standardized else (),
        is_float=composition is not None,
        blur=profile.infer.blur,
    )


def _class_names(profile: Profile) -> list[str]:
    """Return the names of the classes by the channels of the output."""
    names = [item.name for item in profile.classes if not item.ignore]
    return ["background", *names] if len(names) == 1 else names  # a sigmoid's


def _metadata(profile: Profile, run: Run, tiles: Tiles) -> dict[str, str]:
    """Return what is stored in ONNX, by the names that Deepness gives it; values are JSON.

    They are those of its documentation, "Adding metadata to ONNX model", and `tile_size`, which its
    code reads instead of `tiles_size`.
    """
    values: dict[str, object] = {
        "model_type": "Segmentor",
        "class_names": {str(number): name for number, name in enumerate(_class_names(profile))},
        "tile_size": tiles.side,
        "tiles_size": tiles.side,
        "tiles_overlap": round(100 * _overlap(profile, tiles) / tiles.side),
        # Scaling and standardization are in the network.
        "standardization_mean": [0.0] * tiles.bands,
        "standardization_std": [1.0] * tiles.bands,
        **_origin(run),
    }
    if run.preprocessing.gsd is not None:
        values["resolution"] = 100 * run.preprocessing.gsd  # centimetres per pixel
    if run.threshold is not None:
        values["seg_thresh"] = run.threshold
    return {key: json.dumps(value) for key, value in values.items()}


def _description(profile: Profile, run: Run, tiles: Tiles) -> dict[str, object]:
    """Return what one must know of a network in LiteRT to use it."""
    composition = run.preprocessing.composition
    return {
        "classes": _class_names(profile),
        "threshold": run.threshold,
        "gsd": run.preprocessing.gsd,
        "tile": tiles.side,
        "overlap": _overlap(profile, tiles),
        "bands": tiles.bands if composition is None else [b.name for b in composition.inputs],
        "input_range": [0, 1],
        "standardized_inside": bool(tiles.standardized),
        **_origin(run),
    }


def _origin(run: Run) -> dict[str, str]:
    origin = {
        "software": f"landslide {__version__}",
        "model": fingerprint_of(run.file, run.home),
    }
    return origin if run.licence is None else origin | {"licence": run.licence}


def _overlap(profile: Profile, tiles: Tiles) -> int:
    return min(profile.infer.overlap, tiles.side // 2)
