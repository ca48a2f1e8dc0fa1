"""A finished run to the one in this package; `make packaged-model RUN=...` calls it.

Kernels are rounded to half precision, which is what makes the file small. The record keeps
only what the model is and which scenes it has seen, without their folders.
"""

import json
import shutil
import sys
import tempfile
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from landslide_cli.records import Record
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
    _record(run / RUN_RECORD).write(target / RUN_RECORD)
    # Thousands of scenes are learned from, and a line for each number would make it large.
    document = json.loads((target / RUN_RECORD).read_text(encoding="utf-8"))
    (target / RUN_RECORD).write_text(json.dumps(document), encoding="utf-8")
    for name in (THRESHOLD, PRECISION):
        if (run / name).is_file():
            shutil.copyfile(run / name, target / name)
    sys.stdout.write(f"{target}: {(target / MODEL).stat().st_size / 1e6:.2f} MB\n")


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
