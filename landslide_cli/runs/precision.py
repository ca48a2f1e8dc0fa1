"""Whether bfloat16 gives the masks of float32: measured once per model, and stored with its run."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from landslide_cli.core.arrays import Image
from landslide_cli.core.tiling.layout import Tiling
from landslide_cli.core.tiling.predict import mask_of
from landslide_cli.core.tiling.windows import View, views
from landslide_cli.documents import read_json, restored, write_json
from landslide_cli.errors import DataError, LandslideError, OutputError
from landslide_cli.imagery.raster.reader import SceneReader
from landslide_cli.locks import in_turn
from landslide_cli.reporting import Reporter
from landslide_cli.runs.engines import Engine, EngineName, Shape
from landslide_cli.runs.files import PRECISION
from landslide_cli.runs.openvino_model import fingerprint_of
from landslide_cli.runs.run import Run

# bfloat16 is taken if it changes less than this share of the compared pixels.
MOST_CHANGED = 0.005

# Windows that are compared; rows of a scene that are searched for them at once.
_WINDOWS, _ROWS = 4, 4096


@dataclass(frozen=True)
class _Compared:
    """The share of pixels to which bfloat16 gives another class, and windows compared for it."""

    changed: float
    windows: int


def bfloat16_change(
    name: EngineName,
    engine: Engine,
    run: Run,
    scenes: Sequence[Path],
    side: int,
    reporter: Reporter,
) -> float | None:
    """Return the share of pixels to which bfloat16 gives another class than float32.

    The first windows with data of the first scenes are compared, by the most probable class. What
    came out is stored with the model and holds for all later runs: the same command gives the same
    bits however busy the machine is.

    Args:
        name: of the engine.
        engine: with the run's model.
        run: the model.
        scenes: images to compare on, if nothing is stored.
        side: of a window in pixels of the model, as large as in training.
        reporter: warned if the result cannot be stored.

    Returns:
        The share; None if nothing is stored and the scenes have no data.
    """
    digest = fingerprint_of(run.file, run.home)
    # Runs that begin at the same time decide once.
    with in_turn(run.home / f".{PRECISION}.lock", "examined"):
        stored = _stored(run, digest)
        if name in stored:
            return stored[name].changed
        windows = list(islice(_windows(run, scenes, side), _WINDOWS))
        if not windows:
            return None
        with reporter.working("comparing bfloat16 with float32"):
            changed = _changed_share(engine, windows)
        stored[name] = _Compared(changed, len(windows))
        compared = {engine: asdict(measured) for engine, measured in stored.items()}
        try:
            write_json(run.home / PRECISION, {"model": digest, **compared})
        except OutputError as error:
            reporter.warn(f"the comparison of precisions cannot be stored: {error}")
    return changed


def _stored(run: Run, digest: str) -> dict[str, _Compared]:
    """Return what is stored of this model, by engine."""
    stored: dict[str, _Compared] = {}
    for path in dict.fromkeys((run.folder / PRECISION, run.home / PRECISION)):
        # What is damaged is measured again.
        with suppress(DataError):
            document = read_json(path) or {}
            if document.pop("model", None) == digest:
                stored |= {name: restored(_Compared, one, path) for name, one in document.items()}
    return stored


def _windows(run: Run, scenes: Sequence[Path], side: int) -> Iterator[Image]:
    """Yield the windows with data of the scenes that can be read."""
    for path in scenes:
        try:
            with SceneReader(path, run.preprocessing_of(path)) as scene:
                tiling = Tiling(side, 0, scale=scene.scales)
                layout = tiling.layout(scene.height, scene.width)
                # Block by block: the local statistics of a whole scene take long to compute.
                for block in layout.blocks(_ROWS, layout.width):
                    for view in views(scene, layout, block):
                        if isinstance(view, View) and view.pixels is not None:
                            yield view.pixels
        except LandslideError:
            continue  # reported when the scene is mapped


def _changed_share(engine: Engine, windows: Sequence[Image]) -> float:
    rows, cols, _ = windows[0].shape
    shape = Shape(1, rows, cols, windows[0].dtype != np.uint8)
    models = [engine.compiled(shape, precision) for precision in ("float32", "bfloat16")]
    shares = []
    for window in windows:
        exact, rounded = (mask_of(model(window[None])) for model in models)
        shares.append(float((exact != rounded).mean()))
    return float(np.mean(shares))
