"""A finished run to the one in this package; `make packaged-model RUN=...` calls it.

Kernels are rounded to half precision, which is what makes the file small. The record keeps
only what the model is and which scenes it has seen, without their folders.
"""

import sys
import tempfile
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from landslide_cli.documents import read_json, write_json
from landslide_cli.records import Input, Record, digests_of
from landslide_cli.runs.files import MODEL, PACKAGED, PRECISION, RUN_RECORD, THRESHOLD
from landslide_cli.runs.run import load_keras

# Of the run's result; the rest is about the machine.
_KEPT = (
    "epochs",
    "best",
    "parameters",
    "tiles",
    "preprocessing",
    "events",
    "threshold",
    "versions",
)


def package(run: Path, target: Path = PACKAGED) -> None:
    """Write a finished run's model and records in compact form to `target`."""
    target.mkdir(parents=True, exist_ok=True)
    model = load_keras(run / MODEL)
    for layer in model.layers:
        for variable in layer.weights:
            if len(variable.shape) > 1:
                variable.assign(variable.numpy().astype(np.float16).astype(np.float32))
    with tempfile.TemporaryDirectory() as scratch:
        whole = Path(scratch) / MODEL
        model.save(whole)
        _deflate(whole, target / MODEL)
    _copy_threshold(run, target)
    _copy_precision(run, target)
    files = [name for name in (MODEL, THRESHOLD) if (target / name).exists()]
    record = replace(_record(run / RUN_RECORD), files=digests_of(target, files))
    # Thousands of scenes are learned from, and a line for each number would make it large.
    record.write(target / RUN_RECORD, indent=None)
    sys.stdout.write(f"{target}: {(target / MODEL).stat().st_size / 1e6:.2f} MB\n")


def _copy_threshold(run: Path, target: Path) -> None:
    document = read_json(run / THRESHOLD)
    if document is None:
        (target / THRESHOLD).unlink(missing_ok=True)
    else:
        write_json(target / THRESHOLD, document)


def _copy_precision(run: Path, target: Path) -> None:
    """Copy what bfloat16 changes; half precision is finer, so that it holds for rounded kernels."""
    document = read_json(run / PRECISION) or {}
    if document.get("model") == Input.of(run / MODEL).digest:
        write_json(target / PRECISION, document | {"model": Input.of(target / MODEL).digest})
    else:
        (target / PRECISION).unlink(missing_ok=True)


def _deflate(source: Path, target: Path) -> None:
    # Keras stores without compression; it reads both.
    with (
        zipfile.ZipFile(source) as original,
        zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as packed,
    ):
        for name in original.namelist():
            packed.writestr(zipfile.ZipInfo(name), original.read(name), zipfile.ZIP_DEFLATED, 9)


def _record(path: Path) -> Record:
    record = Record.read(path)
    if record is None:
        raise SystemExit(f"{path}: no such file; the run has not finished")
    # Images and masks often have the same name, in folders of their own.
    inputs = {
        f"{Path(name).parent.name}/{Path(name).name}": replace(file, modified=0)
        for name, file in record.inputs.items()
    }
    settings = {key: value for key, value in record.settings.items() if key != "format"}
    return Record(settings, inputs, {key: record.result[key] for key in _KEPT})


if __name__ == "__main__":
    package(Path(sys.argv[1]))
