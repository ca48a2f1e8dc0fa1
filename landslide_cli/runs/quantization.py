"""Making the int8 form of a trained model.

Source: post-training quantization with fast bias correction by NNCF (Kozlov et al., "Neural network
compression framework for fast model inference", 2020, arXiv:2002.08679).
"""

import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, replace
from importlib.metadata import version
from importlib.util import find_spec
from io import StringIO
from pathlib import Path
from typing import Any, Literal

import numpy as np

from landslide_cli.core.arrays import Image
from landslide_cli.core.palette import Mask
from landslide_cli.core.tiling.predict import mask_of, model_channels
from landslide_cli.errors import ModelError
from landslide_cli.locks import in_turn
from landslide_cli.profile import Profile
from landslide_cli.reporting import Reporter
from landslide_cli.runs.engines import OpenVinoEngine
from landslide_cli.runs.example_windows import spread_windows
from landslide_cli.runs.files import INT8
from landslide_cli.runs.int8_change import change_by_int8, labelled_samples, spread
from landslide_cli.runs.int8_form import Int8Record, Kept, int8_form_of, write_int8_form
from landslide_cli.runs.openvino_library import import_openvino, openvino_core
from landslide_cli.runs.openvino_model import fingerprint_of
from landslide_cli.runs.plan import Plan
from landslide_cli.runs.run import Run

# Windows that the ranges of features are measured on, at most.
_WINDOWS = 112

# What is left in floating point where too much is lost otherwise. The first layers see the image at
# its full resolution, and lose most in the packaged model; later ones are searched for by NNCF.
_NEXT: tuple[Kept, ...] = ("the first two", "those that lose most")

# In that search: the share of the windows' pixels that may get another class.
_MOST_CHANGED = 0.002


@dataclass(frozen=True)
class Quantizer:
    """A run whose model is to be quantized.

    Args:
        profile: its `source`, `dataset`, `fold`, `classes` and `tile_side` are used.
        run: the model.
        plan: by which it is predicted in float32.
        engine: with the model.
        scenes: images to calibrate on where the training's are not at hand.
        reporter: told what is done.
    """

    profile: Profile
    run: Run
    plan: Plan
    engine: OpenVinoEngine
    scenes: Sequence[Path]
    reporter: Reporter

    def make(self) -> Int8Record:
        """Make the int8 form and keep it beside the run; return the record.

        If another process makes it, this one waits for that.

        Raises:
            ModelError: NNCF is not installed, or there is no image to calibrate on.
            OutputError: the form cannot be written.
        """
        check_can_quantize()
        with in_turn(self.run.home / f".{INT8}.lock", "quantized"):
            # Another process may have made it meanwhile.
            form = int8_form_of(self.run)
            return self._make() if form is None else form.record

    def _make(self) -> Int8Record:
        calibrated_on, windows = self._windows()
        if not windows:
            raise ModelError(
                f"{self.run.folder}: no image with data to make the int8 form with; name scenes, "
                "or --set infer.precision=auto"
            )
        record = Int8Record(
            model=fingerprint_of(self.run.file, self.run.home),
            windows=len(windows),
            calibrated_on=calibrated_on,
            nncf=version("nncf"),
        )
        best = self._tried(record, windows, "none")
        for kept in _NEXT:
            change = best[1].change
            if change is None or best[1].is_sound:
                break
            self.reporter.note(f"{change}; trying again with {kept} left in floating point")
            other = self._tried(record, windows, kept)
            best = max(best, other, key=_difference)
        write_int8_form(self.run.home / INT8, import_openvino(), *best)
        return best[1]

    def _tried(
        self, record: Int8Record, windows: Sequence[Image], kept: Kept
    ) -> tuple[Any, Int8Record]:
        """Return the network with these convolutions left in floating point, and its record."""
        with self.reporter.working("quantizing the model"), _quiet():
            quantize = _controlled if kept == "those that lose most" else _quantized
            names = _convolutions(self.engine.network)[:2] if kept == "the first two" else []
            network = quantize(self.engine.network, windows, names)
        engine = self.engine.with_int8(network)
        change = change_by_int8(self.profile, self.run, self.plan, engine, self.reporter)
        return network, replace(record, kept=kept, change=change)

    def _windows(self) -> tuple[Literal["train", "scenes"], list[Image]]:
        """Return what to calibrate on: windows of the training set, or else of the scenes."""
        side, samples = self.profile.tile_side, labelled_samples(self.profile, "train")
        if samples is not None:
            images = [sample.image for sample in spread(samples.items, _WINDOWS)]
            run = self.run.for_tiles() if samples.units == "tiles" else self.run
            if windows := spread_windows(run, images, side, _WINDOWS):
                return "train", windows
        return "scenes", spread_windows(self.run, self.scenes, side, _WINDOWS)


def check_can_quantize() -> None:
    """Check that NNCF is installed, which is needed to make an int8 form, not to use one.

    Raises:
        ModelError: it is not.
    """
    if find_spec("nncf") is None:
        raise ModelError(
            "an int8 form is made by NNCF, which is not installed: pip install "
            "'landslide-cli[int8]', or do without (infer.precision=auto, train.int8=false)"
        )


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep NNCF's bars and messages to itself."""
    import_openvino()
    with redirect_stdout(StringIO()):
        import nncf

        nncf.set_log_level(logging.ERROR)
        yield


def _difference(form: tuple[Any, Int8Record]) -> float:
    change = form[1].change
    return 0.0 if change is None else change.difference


def _convolutions(network: Any) -> list[str]:
    """Name the convolutions in the order in which they are computed."""
    kinds = ("Convolution", "GroupConvolution", "ConvolutionBackpropData")
    operations = network.get_ordered_ops()
    return [op.get_friendly_name() for op in operations if op.get_type_name() in kinds]


def _quantized(network: Any, windows: Sequence[Image], kept: Sequence[str]) -> Any:
    """Quantize all layers that can be, but for those kept by name."""
    import nncf

    return nncf.quantize(
        network.clone(),
        nncf.Dataset([window[None].astype(np.float32) for window in windows]),
        preset=nncf.QuantizationPreset.PERFORMANCE,
        subset_size=len(windows),
        ignored_scope=nncf.IgnoredScope(names=list(kept)),
    )


def _controlled(network: Any, windows: Sequence[Image], kept: Sequence[str]) -> Any:
    """Quantize, and put back the layers that change most classes until few pixels change."""
    import nncf

    def classes(model: Any, window: Image) -> Mask:
        (answer,) = model([window]).to_tuple()
        return mask_of(model_channels(np.asarray(answer, np.float32)))

    items = [window[None].astype(np.float32) for window in windows]
    compiled = openvino_core().compile_model(network, "CPU")
    pairs = [(window, classes(compiled, window)) for window in items]

    def agreement(model: Any, seen: Iterable[Any]) -> tuple[float, list[float]]:
        shares = [float((classes(model, window) == mask).mean()) for window, mask in seen]
        return float(np.mean(shares)), shares

    return nncf.quantize_with_accuracy_control(
        network.clone(),
        calibration_dataset=nncf.Dataset(items),
        validation_dataset=nncf.Dataset(pairs, lambda pair: pair[0]),
        validation_fn=agreement,
        max_drop=_MOST_CHANGED,
        preset=nncf.QuantizationPreset.PERFORMANCE,
        subset_size=len(items),
        ignored_scope=nncf.IgnoredScope(names=list(kept)),
    )
