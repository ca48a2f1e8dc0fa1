"""The precision in which a model computes, by what its processor can and what was measured.

What bfloat16 changes is measured once per model on the first scenes, and what int8 does when that
form is made. Both are stored with the run. No speed is measured, so that the same command gives the
same bits however busy the machine is.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from landslide_cli.core.arrays import Image
from landslide_cli.core.tiling.predict import mask_of
from landslide_cli.documents import read_json, restored, write_json
from landslide_cli.errors import DataError, OutputError
from landslide_cli.locks import in_turn
from landslide_cli.profile import Profile
from landslide_cli.reporting import Reporter
from landslide_cli.runs.engines import BatchShape, Engine, EngineName, Precision
from landslide_cli.runs.example_windows import example_windows
from landslide_cli.runs.files import PRECISION
from landslide_cli.runs.int8_form import Int8Record
from landslide_cli.runs.openvino_model import fingerprint_of
from landslide_cli.runs.run import Run

# bfloat16 is taken if it changes less than this share of the compared pixels.
MOST_CHANGED = 0.005

# Windows that are compared.
_WINDOWS = 4


@dataclass(frozen=True)
class PrecisionChoice:
    """A precision, and why it was taken; fields as those of `Plan`."""

    precision: Precision
    changed: float | None = None
    reason: str = ""


@dataclass(frozen=True)
class _Compared:
    """The share of pixels to which bfloat16 gives another class, and windows compared for it."""

    changed: float
    windows: int


def choose_precision(
    profile: Profile,
    name: EngineName,
    engine: Engine,
    run: Run,
    scenes: Sequence[Path],
    reporter: Reporter,
) -> PrecisionChoice:
    """Choose the fastest precision that changes little, unless the profile names one.

    Args:
        profile: its `infer.precision` and `tile_side` are used.
        name: of the engine.
        engine: with the run's model, and the int8 form if the profile asks for that.
        run: the model.
        scenes: images on whose first windows bfloat16 is compared, if it never was.
        reporter: warned if the comparison cannot be stored.
    """
    wanted, reason = profile.infer.precision, ""
    if engine.int8_form is not None and wanted in ("auto", "int8"):
        record = engine.int8_form.record
        reason = "" if wanted == "int8" else _why_not_int8(record, engine)
        if not reason:
            return _int8_by(record)
    if wanted == "float32" or (wanted == "auto" and "bfloat16" not in engine.prefers()):
        return PrecisionChoice("float32", None, reason)
    changed = _bfloat16_change(name, engine, run, scenes, profile.tile_side, reporter)
    if changed is not None:
        compared = f"bfloat16 changes {changed:.2%} of pixels"
        reason = f"{compared}; {reason}" if reason else compared
    if wanted == "bfloat16" or (changed is not None and changed < MOST_CHANGED):
        return PrecisionChoice("bfloat16", changed, reason)
    return PrecisionChoice("float32", changed, reason)


def _int8_by(record: Int8Record) -> PrecisionChoice:
    if record.change is None:
        return PrecisionChoice("int8")
    return PrecisionChoice("int8", record.change.changed, str(record.change))


def _why_not_int8(record: Int8Record, engine: Engine) -> str:
    """Say why a model's int8 form is not taken unasked; empty if it is."""
    if "int8" not in engine.prefers():
        return "no int8, for which the processor has neither VNNI nor AMX"
    if record.change is None:
        return "no int8, whose scores are not known"
    return "" if record.is_sound else f"no int8: {record.change}"


def _bfloat16_change(
    name: EngineName,
    engine: Engine,
    run: Run,
    scenes: Sequence[Path],
    side: int,
    reporter: Reporter,
) -> float | None:
    """Return the share of pixels to which bfloat16 gives another class than float32.

    The first windows with data of the first scenes are compared, by the most probable class. The
    result is stored with the model, and holds for all later runs.

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
        windows = list(islice(example_windows(run, scenes, side), _WINDOWS))
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
                stored |= {
                    name: restored(_Compared, fields, path) for name, fields in document.items()
                }
    return stored


def _changed_share(engine: Engine, windows: Sequence[Image]) -> float:
    rows, cols, _ = windows[0].shape
    shape = BatchShape(1, rows, cols, windows[0].dtype != np.uint8)
    models = [engine.compiled(shape, precision) for precision in ("float32", "bfloat16")]
    shares = []
    for window in windows:
        exact, rounded = (mask_of(model(window[None])) for model in models)
        shares.append(float((exact != rounded).mean()))
    return float(np.mean(shares))
