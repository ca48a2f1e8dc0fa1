"""How a set of scenes is mapped: engine, precision and windows, chosen once and written down."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from landslide_cli.core.inference import mask_of
from landslide_cli.core.layout import LARGEST, Tiling
from landslide_cli.core.memory import free_memory
from landslide_cli.core.streaming import Predict
from landslide_cli.core.tiler import Image
from landslide_cli.core.windows import View, views
from landslide_cli.errors import LandslideError, ModelError, UsageError
from landslide_cli.imagery.reader import SceneReader
from landslide_cli.profile import Profile
from landslide_cli.reporting import Reporter
from landslide_cli.stages.conversion import converted
from landslide_cli.stages.engines import (
    Engine,
    EngineName,
    OpenVinoEngine,
    Precision,
    Shape,
    TensorFlowEngine,
    may_have_gpu,
    processor_threads,
)
from landslide_cli.stages.runs import Run
from landslide_cli.stages.sources import reading_of, scales_of

# A precision is taken if it changes less than this share of the first windows' pixels.
MOST_CHANGED = 0.005

# Windows on which precisions are compared, and the seconds that this may take; rows of a scene that
# are searched for them at once.
_COMPARED, _SECONDS, _ROWS = 4, 3.0, 4096


@dataclass(frozen=True)
class Plan:
    """How scenes are mapped.

    `tile` is the largest side of a window in pixels of the model, None for whole scenes; `fitted`
    windows are smaller where the scene allows. `changed` is the share of the compared windows'
    pixels to which bfloat16 gives another class than float32, and `speedup` how many times as fast
    it was; both None where they were not compared. Results are the same bits for the same plan.
    """

    engine: EngineName
    precision: Precision
    changed: float | None
    speedup: float | None
    tile: int | None
    fitted: bool
    batch: int
    threads: int


def make_plan(
    profile: Profile,
    run: Run,
    scenes: Sequence[Path],
    threshold: float | None,
    reporter: Reporter,
) -> Plan:
    """Choose what the profile leaves open.

    Args:
        profile: its `infer`, `model`, `tile_side` and what reading needs are used.
        run: the trained model.
        scenes: precisions are compared on the first windows of the first that can be read.
        threshold: of the foreground, which decides the compared pixels.
        reporter: told of what is not as asked for.

    Raises:
        ModelError: the model does not fit the profile, or the engine asked for cannot run it.
        UsageError: the windows cannot be as asked for.
    """
    name, engine, on_gpu = _choose_engine(profile, run, reporter)
    batch = profile.infer.batch or (4 if on_gpu else 1)
    tile = _side(profile, engine, batch, on_gpu)
    precision, changed, speedup = _choose_precision(profile, run, engine, scenes, threshold)
    return Plan(
        engine=name,
        precision=precision,
        changed=changed,
        speedup=speedup,
        tile=tile,
        fitted=profile.infer.tile == "auto",
        batch=batch,
        threads=processor_threads(),
    )


def load_engine(name: EngineName, run: Run, threads: int, reporter: Reporter) -> Engine:
    """Load the run's model into an engine.

    Raises:
        ModelError: the model does not fit the profile, or the engine cannot run it.
    """
    if name == "tensorflow":
        return TensorFlowEngine(run)
    try:
        network = converted(run.file, reporter, run.home)
    except ImportError as error:
        raise ModelError(
            f"OpenVINO cannot be imported ({error}); install it, or --set infer.engine=tensorflow"
        ) from None
    return OpenVinoEngine(network, run.bands, run.outputs, threads)


def _choose_engine(
    profile: Profile, run: Run, reporter: Reporter
) -> tuple[EngineName, Engine, bool]:
    """Return the engine's name, the loaded engine, and whether it works on a GPU."""
    wanted, threads = profile.infer.engine, processor_threads()
    if wanted != "openvino" and may_have_gpu() and _has_gpu():
        return "tensorflow", load_engine("tensorflow", run, threads, reporter), True
    if wanted != "auto":
        return wanted, load_engine(wanted, run, threads, reporter), False
    try:
        return "openvino", load_engine("openvino", run, threads, reporter), False
    except ModelError as error:
        # If it is the model that is wrong, TensorFlow says so in the same words.
        engine = load_engine("tensorflow", run, threads, reporter)
        reporter.warn(f"TensorFlow runs the model, OpenVINO cannot: {error}")
        return "tensorflow", engine, False


def _has_gpu() -> bool:
    from landslide_cli.core.backend import gpu_memory

    return gpu_memory() is not None


def _side(profile: Profile, engine: Engine, batch: int, on_gpu: bool) -> int | None:
    """Return the largest side of a window: as large as the memory allows, and no larger than pays.

    Raises:
        UsageError: neighbouring windows would share more than a window.
    """
    infer, multiple = profile.infer, profile.model.multiple
    if infer.tile == "whole":
        return None
    if infer.tile != "auto":
        return infer.tile
    allowed = infer.memory * 1e9 if infer.memory is not None else _available(on_gpu) / 4
    fits = int((allowed / (batch * engine.bytes_a_pixel)) ** 0.5)
    side = min(fits, max(LARGEST, multiple)) // multiple * multiple
    side = max(side, multiple)
    if side <= infer.overlap:
        raise UsageError(
            f"infer.overlap is {infer.overlap}, and windows of {allowed / 1e9:.1f} GB are only "
            f"{side} pixels wide; lessen it, or raise infer.memory"
        )
    return side


def _available(on_gpu: bool) -> float:
    if not on_gpu:
        return float(free_memory())
    from landslide_cli.core.backend import gpu_memory

    return float(gpu_memory() or free_memory())


def _choose_precision(
    profile: Profile,
    run: Run,
    engine: Engine,
    scenes: Sequence[Path],
    threshold: float | None,
) -> tuple[Precision, float | None, float | None]:
    """Return the precision, and what bfloat16 changes and how many times as fast it is."""
    wanted = profile.infer.precision
    if wanted == "float32" or (wanted == "auto" and "bfloat16" not in engine.prefers()):
        return "float32", None, None
    windows = _first_windows(profile, run, scenes)
    if not windows:
        return ("float32" if wanted == "auto" else wanted), None, None
    shape = Shape(1, *windows[0].shape[:2])
    exact = engine.compiled(shape, "float32")
    fast = engine.compiled(shape, "bfloat16")
    changed, speedup = _compared(exact, fast, windows, threshold)
    if wanted == "auto" and (changed >= MOST_CHANGED or speedup <= 1.0):
        return "float32", changed, speedup
    return "bfloat16", changed, speedup


def _compared(
    exact: Predict, fast: Predict, windows: Sequence[Image], threshold: float | None
) -> tuple[float, float]:
    """Return the share of pixels that get another class, and how many times as fast it is."""
    began, seconds, shares = time.monotonic(), {exact: [], fast: []}, []  # type: ignore[var-annotated]
    for predict in (exact, fast):
        predict(windows[0][None])  # what is prepared at the first call is not counted
    for window in windows:
        masks = []
        for predict in (exact, fast):
            start = time.perf_counter()
            answer = predict(window[None])
            seconds[predict].append(time.perf_counter() - start)
            masks.append(mask_of(answer, threshold))
        shares.append(float((masks[0] != masks[1]).mean()))
        if time.monotonic() - began > _SECONDS:
            break
    return float(np.mean(shares)), min(seconds[exact]) / min(seconds[fast])


def _first_windows(profile: Profile, run: Run, scenes: Sequence[Path]) -> list[Image]:
    """Take the first windows with data, as large as a tile or crop of the training."""
    for path in scenes:
        try:
            with SceneReader(path, reading_of(profile, run.standardized)) as scene:
                scale = scales_of(profile, run.scale, path, scene)
                layout = Tiling(profile.tile_side, 0, scale=scale).layout(scene.height, scene.width)
                # Block by block: the levels of the whole scene take long to find out.
                found = (
                    one.pixels
                    for block in layout.blocks(_ROWS, layout.width)
                    for one in views(scene, layout, block)
                    if isinstance(one, View) and one.pixels is not None
                )
                windows = list(islice(found, _COMPARED))
        except LandslideError:
            continue  # it is reported when its turn comes
        if windows:
            return windows
    return []
