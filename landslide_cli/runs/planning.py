"""Planning how scenes are predicted, and loading the model accordingly."""

from collections.abc import Sequence
from pathlib import Path

from landslide_cli.core.memory import free_memory
from landslide_cli.core.tiling.layout import LARGEST
from landslide_cli.errors import ModelError, UsageError
from landslide_cli.profile import Profile
from landslide_cli.reporting import Reporter
from landslide_cli.runs.engines import (
    Engine,
    EngineName,
    OpenVinoEngine,
    TensorFlowEngine,
    may_have_gpu,
    processor_threads,
)
from landslide_cli.runs.int8_form import int8_form_of
from landslide_cli.runs.openvino_library import import_openvino
from landslide_cli.runs.openvino_model import converted
from landslide_cli.runs.plan import Plan
from landslide_cli.runs.precision import PrecisionChoice, choose_precision
from landslide_cli.runs.quantization import Quantizer
from landslide_cli.runs.run import Run
from landslide_cli.runs.scene_predictor import ScenePredictor


def load_predictor(
    profile: Profile,
    run: Run,
    scenes: Sequence[Path],
    reporter: Reporter,
    plan: Plan | None = None,
) -> ScenePredictor:
    """Load a run's model into the engine of a plan.

    Args:
        profile: its `infer`, `model`, `classes` and `tile_side` are used.
        run: the trained model.
        scenes: images that will be predicted; precisions are compared on the first, if they never
            were.
        reporter: warned if the engine is not the one asked for.
        plan: of an earlier run. Default: `make_plan` makes one.

    Raises:
        ModelError: as `make_plan`.
        UsageError: as `make_plan`.
    """
    if plan is None:
        plan, engine = make_plan(profile, run, scenes, reporter)
    else:
        engine = load_engine(plan.engine, run, plan.threads, reporter)
    return ScenePredictor(profile, run, plan, engine)


def make_plan(
    profile: Profile, run: Run, scenes: Sequence[Path], reporter: Reporter
) -> tuple[Plan, Engine]:
    """Choose what the profile leaves open, and load the model accordingly.

    Args:
        profile: its `infer`, `model` and `tile_side` are used.
        run: the trained model.
        scenes: images on whose first windows precisions are compared, if they never were, and on
            which the int8 form is made that is asked for, if there is no training set.
        reporter: warned if the engine is not the one asked for.

    Raises:
        ModelError: the model does not fit the profile, the engine asked for cannot run it, or its
            int8 form cannot be made.
        UsageError: the windows cannot be as asked for.
    """
    name, engine, on_gpu = _choose_engine(profile, run, reporter)
    batch = profile.infer.batch or (4 if on_gpu else 1)
    tile = _side(profile, engine, batch, on_gpu)
    plan = _plan(profile, name, PrecisionChoice("float32"), tile, batch)
    if profile.infer.precision == "int8":
        if not isinstance(engine, OpenVinoEngine):
            raise ModelError(f"{run.file}: only OpenVINO runs a model in int8; {name} was chosen")
        if engine.int8_form is None:
            Quantizer(profile, run, plan, engine, scenes, reporter).make()
            engine = load_engine(name, run, plan.threads, reporter)
    choice = choose_precision(profile, name, engine, run, scenes, reporter)
    return _plan(profile, name, choice, tile, batch), engine


def training_plan(profile: Profile) -> Plan:
    """Return how scenes are predicted with a model that is being trained."""
    tile = profile.infer.tile
    side = {"auto": LARGEST, "whole": None}[tile] if isinstance(tile, str) else tile
    batch = profile.infer.batch or 1
    return _plan(profile, "tensorflow", PrecisionChoice("float32"), side, batch)


def _plan(
    profile: Profile,
    engine: EngineName,
    choice: PrecisionChoice,
    tile: int | None,
    batch: int,
) -> Plan:
    infer = profile.infer
    return Plan(
        engine=engine,
        precision=choice.precision,
        changed=choice.changed,
        tile=tile,
        fitted=infer.tile == "auto",
        overlap=infer.overlap,
        multiple=profile.model.multiple,
        batch=batch,
        threads=processor_threads(),
        reason=choice.reason,
    )


def load_engine(name: EngineName, run: Run, threads: int, reporter: Reporter) -> Engine:
    """Load the run's model into an engine.

    Raises:
        ModelError: the model does not fit the profile, or the engine cannot run it.
    """
    if name == "tensorflow":
        with reporter.working("loading TensorFlow and the model"):
            return TensorFlowEngine(run.load(), run.adds_background)
    try:
        import_openvino()
    except ImportError as error:
        raise ModelError(
            f"OpenVINO cannot be imported ({error}); install it, or --set infer.engine=tensorflow"
        ) from None
    network = converted(run.file, reporter, run.home, run.architecture)
    with reporter.working("loading the model"):
        bands, outputs = run.preprocessing.bands, run.outputs
        return OpenVinoEngine(
            network, bands, outputs, threads, run.adds_background, int8_form_of(run)
        )


def _choose_engine(
    profile: Profile, run: Run, reporter: Reporter
) -> tuple[EngineName, Engine, bool]:
    """Return the engine's name, the loaded engine, and whether it runs on a GPU."""
    wanted, threads = profile.infer.engine, processor_threads()
    if wanted != "openvino" and may_have_gpu() and _has_gpu():
        return "tensorflow", load_engine("tensorflow", run, threads, reporter), True
    if wanted != "auto":
        return wanted, load_engine(wanted, run, threads, reporter), False
    try:
        return "openvino", load_engine("openvino", run, threads, reporter), False
    except ModelError as error:
        # If the model itself is wrong, TensorFlow raises the same error.
        engine = load_engine("tensorflow", run, threads, reporter)
        reporter.warn(f"TensorFlow runs the model, OpenVINO cannot: {error}")
        return "tensorflow", engine, False


def _has_gpu() -> bool:
    from landslide_cli.core.networks.backend import gpu_memory

    return gpu_memory() is not None


def _side(profile: Profile, engine: Engine, batch: int, on_gpu: bool) -> int | None:
    """Return the largest side of a window: as large as the memory allows, and no larger than pays.

    Raises:
        UsageError: neighbouring windows would share a whole window or more.
    """
    infer, multiple = profile.infer, profile.model.multiple
    if infer.tile == "whole":
        return None
    if infer.tile != "auto":
        return infer.tile
    allowed = infer.memory * 1e9 if infer.memory is not None else _available(on_gpu) / 4
    fits = int((allowed / (batch * engine.bytes_per_pixel)) ** 0.5)
    side = min(fits, max(LARGEST, multiple)) // multiple * multiple
    side = max(side, multiple)
    if side <= infer.overlap:
        raise UsageError(
            f"infer.overlap is {infer.overlap}, and windows of {allowed / 1e9:.1f} GB are only "
            f"{side} pixels wide; reduce it, or raise infer.memory"
        )
    return side


def _available(on_gpu: bool) -> float:
    if not on_gpu:
        return float(free_memory())
    from landslide_cli.core.networks.backend import gpu_memory

    return float(gpu_memory() or free_memory())
