"""The int8 form of a trained model: a file beside its OpenVINO form, with what it changes.

It is made by `runs.quantization`, and read where a plan takes it.
"""

import json
import tempfile
import zipfile
import zlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from landslide_cli.core.parts import Part
from landslide_cli.documents import restored
from landslide_cli.errors import DataError
from landslide_cli.outputs import whole_file
from landslide_cli.runs.files import INT8
from landslide_cli.runs.openvino_model import fingerprint_of
from landslide_cli.runs.run import Run

# It is taken unasked if the IoU falls by less than this.
MOST_LOST = 0.005

_BAD_ARCHIVES = (zipfile.BadZipFile, zlib.error)

Kept = Literal["none", "the first two", "those that lose most"]


@dataclass(frozen=True)
class Change:
    """What int8 changes on labelled samples, in a single pass.

    `part` is that of the samples, `samples` and `groups` are their numbers; `units` are scenes or
    tiles. `changed` is the share of their pixels that get another class than in float32. IoUs
    are those of the foreground, pooled; `interval` is that of int8 less float32 over resampled
    groups, None below eight of them. Layers that are not quantized computed in `others`.
    """

    part: Part
    units: Literal["scenes", "tiles"]
    samples: int
    groups: int
    changed: float
    iou_float32: float
    iou_int8: float
    interval: tuple[float, float] | None
    others: Literal["float32", "bfloat16"]

    @property
    def difference(self) -> float:
        """The IoU in int8 less that in float32."""
        return self.iou_int8 - self.iou_float32

    def __str__(self) -> str:
        said = f"int8 changes {self.changed:.2%} of pixels, the IoU by {self.difference:+.4f}"
        if self.interval is not None:
            low, high = self.interval
            said += f" ({low:+.4f} to {high:+.4f})"
        return f"{said}, {self.samples} {self.units} of {self.part}"


@dataclass(frozen=True)
class Int8Record:
    """How an int8 form was made.

    `model` is the digest of the Keras model. It was calibrated on this number of `windows` of the
    part `train`, or else of the scenes to be mapped. `kept` are the convolutions that stay in
    floating point. `change` is None where nothing labelled was at hand.
    """

    model: str
    windows: int
    calibrated_on: Literal["train", "scenes"]
    nncf: str
    kept: Kept = "none"
    change: Change | None = None

    @property
    def is_sound(self) -> bool:
        """Whether it is known to lose less than `MOST_LOST` of the IoU."""
        return self.change is not None and self.change.difference > -MOST_LOST


@dataclass(frozen=True)
class Int8Form:
    """The file of an int8 form, and how it was made."""

    path: Path
    record: Int8Record


def int8_form_of(run: Run) -> Int8Form | None:
    """Return the int8 form of a run's model; None if there is none, or of another model."""
    digest = None
    for path in dict.fromkeys((run.home / INT8, run.folder / INT8)):
        record = int8_record(path)
        if record is None:
            continue
        digest = digest or fingerprint_of(run.file, run.home)
        if record.model == digest:
            return Int8Form(path, record)
    return None


def write_int8_form(path: Path, openvino: Any, network: Any, record: Int8Record) -> None:
    """Write a quantized network, whole or not at all.

    Args:
        path: of the file.
        openvino: the module.
        network: an `openvino.Model`.
        record: how it was made.

    Raises:
        OutputError: it cannot be written.
    """
    with tempfile.TemporaryDirectory(prefix="landslide-") as scratch:
        description = Path(scratch) / "int8.xml"
        openvino.save_model(network, description, compress_to_fp16=False)
        parts = [description.read_bytes(), description.with_suffix(".bin").read_bytes()]
    with whole_file(path) as partial, partial.open("wb") as file:
        # Weights of 8 bits hardly shrink, and large ones would take a second to inflate.
        np.savez(
            file,
            record=np.array(json.dumps(asdict(record), allow_nan=False)),
            description=np.frombuffer(zlib.compress(parts[0]), np.uint8),
            weights=np.frombuffer(parts[1], np.uint8),
        )


def read_int8_form(path: Path, core: Any) -> Any:
    """Read the network of an int8 form.

    Args:
        path: of the file.
        core: OpenVINO's.

    Raises:
        DataError: the file is damaged.
    """
    try:
        with np.load(path, allow_pickle=False) as parts:
            description, weights = (parts[name].tobytes() for name in ("description", "weights"))
        return core.read_model(zlib.decompress(description), weights)
    except (OSError, KeyError, ValueError, EOFError, RuntimeError, *_BAD_ARCHIVES):
        raise DataError(f"{path}: is damaged; delete it") from None


def int8_record(path: Path) -> Int8Record | None:
    """Return the record of an int8 form; None if the file is damaged or not there."""
    try:
        with np.load(path, allow_pickle=False) as parts:
            return restored(Int8Record, json.loads(str(parts["record"])), path)
    except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile, DataError):
        return None  # made again where it is wanted
