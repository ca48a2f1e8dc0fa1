"""A finished run to the one in this package; `make packaged-model RUN=...` calls it.

Kernels are rounded to half precision, which is what makes the file small. The record keeps
only what the model is and which scenes it and its ancestors have seen, without their folders.
"""

import sys
import tempfile
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from landslide_cli.documents import read_json, write_json
from landslide_cli.profile import load_profile
from landslide_cli.records import Input, Record, digests_of
from landslide_cli.runs.ancestry import (
    Ancestor,
    Learned,
    document_of,
    learned_from,
    lineage_of,
)
from landslide_cli.runs.files import MODEL, PACKAGED, PRECISION, PROFILE, RUN_RECORD, THRESHOLD
from landslide_cli.runs.run import load_keras
from landslide_cli.training_data.inputs import files_of_part

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

# Bytes of a scene's file from which on its sketch is kept. Smaller ones are tiles, of which there
# may be thousands; their digests tell them.
_SKETCHED = 2**17


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
    record = replace(_record(run), files=digests_of(target, files))
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


def _record(run: Path) -> Record:
    record = Record.read(run / RUN_RECORD)
    if record is None:
        raise SystemExit(f"{run / RUN_RECORD}: no such file; the run has not finished")
    learned, *ancestors = _lineage(run, record)
    settings = {key: value for key, value in record.settings.items() if key != "format"}
    result = {key: record.result[key] for key in _KEPT}
    # The scenes stand for the inputs, and are half as long: nobody needs digests of masks.
    return Record(settings, {}, result | document_of(learned.scenes, ancestors))


def _lineage(run: Path, record: Record) -> list[Ancestor]:
    """Return the run and its ancestors by their names alone, and with sketches of large scenes."""
    own, *ancestors = lineage_of(run)
    if "learned" not in record.result:
        # Of an earlier version: where the training was made, its files may still be there.
        profile = load_profile(run / PROFILE)
        images = files_of_part(profile, "train", record.settings.get("limit")).named_images
        own = replace(own, scenes=learned_from(profile, images, record.inputs))
    return [
        replace(model, model=Path(model.model).name, scenes=[_thinned(s) for s in model.scenes])
        for model in (own, *ancestors)
    ]


def _thinned(scene: Learned) -> Learned:
    return scene if scene.size >= _SKETCHED else replace(scene, sketch="")


if __name__ == "__main__":
    package(Path(sys.argv[1]))
