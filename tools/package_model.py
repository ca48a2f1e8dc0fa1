"""A finished run to the one in this package; `make packaged-model RUN=...` calls it.

Kernels are rounded to half precision, which is what makes the file small. The record keeps
only what the model is and which scenes it and its ancestors have seen, without their folders.
"""

import sys
import tempfile
import zipfile
from dataclasses import replace
from io import BytesIO
from itertools import permutations
from pathlib import Path
from xml.etree import ElementTree

import h5py
import numpy as np

from landslide_cli.documents import read_json, write_json
from landslide_cli.profile import load_profile
from landslide_cli.records import Input, Record, digests_of
from landslide_cli.reporting import SilentReporter
from landslide_cli.runs.ancestry import (
    Ancestor,
    Learned,
    document_of,
    learned_from,
    lineage_of,
)
from landslide_cli.runs.files import (
    INT8,
    MODEL,
    PACKAGED,
    PRECISION,
    PROFILE,
    RUN_RECORD,
    THRESHOLD,
)
from landslide_cli.runs.int8_form import int8_record, read_int8_form, write_int8_form
from landslide_cli.runs.keras_model import load_keras
from landslide_cli.runs.openvino_library import import_openvino, openvino_core
from landslide_cli.runs.openvino_model import converted
from landslide_cli.runs.openvino_parts import PARTS, put_together
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
    take_apart(target / MODEL, target / PARTS)
    _copy_threshold(run, target)
    _copy_precision(run, target)
    _copy_int8_form(run, target)
    files = [name for name in (MODEL, THRESHOLD) if (target / name).exists()]
    record = replace(_record(run), files=digests_of(target, files))
    # Thousands of scenes are learned from, and a line for each number would make it large.
    record.write(target / RUN_RECORD, indent=None)
    sys.stdout.write(f"{target}: {(target / MODEL).stat().st_size / 1e6:.2f} MB\n")


def take_apart(model: Path, target: Path) -> None:
    """Write the parts of a model's OpenVINO form; `landslide_cli.runs.openvino_parts` says which.

    They are put together again, and compared.
    """
    target.unlink(missing_ok=True)
    digest = Input.of(model).digest
    with tempfile.TemporaryDirectory() as scratch:
        network = converted(model, SilentReporter(), Path(scratch))
        description, content = network.read_bytes(), network.with_suffix(".bin").read_bytes()
        weights = np.frombuffer(content, np.uint8).copy()
        places = _places(description, weights, _variables(model))
        for _, _, offset, size in places:
            weights[offset : offset + size] = 0
        np.savez_compressed(
            target,
            model=np.array(digest),
            description=np.frombuffer(description, np.uint8),
            weights=weights,
            names=np.array([name for name, *_ in places]),
            axes=np.array([axes for _, axes, *_ in places], np.int8),
            offsets=np.array([offset for *_, offset, _ in places], np.int64),
        )
        again = Path(scratch) / "again.xml"
        if (
            not put_together(model, digest, again)
            or again.with_suffix(".bin").read_bytes() != content
        ):
            raise SystemExit(f"{target}: the OpenVINO form that it gives is not the model's")


def _variables(model: Path) -> dict[str, np.ndarray]:
    found: dict[str, np.ndarray] = {}

    def visit(name: str, item: h5py.Dataset | h5py.Group) -> None:
        if isinstance(item, h5py.Dataset) and item.ndim > 1:
            found[name] = item[()]

    with (
        zipfile.ZipFile(model) as archive,
        h5py.File(BytesIO(archive.read("model.weights.h5"))) as file,
    ):
        file.visititems(visit)
    return found


def _places(
    description: bytes, weights: np.ndarray, variables: dict[str, np.ndarray]
) -> list[tuple[str, list[int], int, int]]:
    """Find the variables in OpenVINO's weights: name, order of four axes, offset and size."""
    places = []
    # Written by OpenVINO a moment ago.
    for layer in ElementTree.fromstring(description).iter("layer"):  # noqa: S314
        data = layer.find("data")
        if layer.get("type") != "Const" or data is None or data.get("element_type") != "f32":
            continue
        offset, size = int(data.get("offset", 0)), int(data.get("size", 0))
        values = weights[offset : offset + size].view(np.float32)
        for name, variable in variables.items():
            axes = _axes(variable, values) if variable.nbytes == size else None
            if axes is not None:
                places.append((name, [*axes, *range(len(axes), 4)], offset, size))
                break
    return places


def _axes(variable: np.ndarray, values: np.ndarray) -> tuple[int, ...] | None:
    """Return the order of a variable's axes in which it has these values, if there is one."""
    for axes in permutations(range(variable.ndim)):
        if np.array_equal(variable.transpose(axes).ravel(), values):
            return axes
    return None


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


def _copy_int8_form(run: Path, target: Path) -> None:
    """Copy the int8 form, whose numbers are coarser than half precision."""
    (target / INT8).unlink(missing_ok=True)
    record = int8_record(run / INT8)
    if record is not None and record.model == Input.of(run / MODEL).digest:
        network = read_int8_form(run / INT8, openvino_core())
        record = replace(record, model=Input.of(target / MODEL).digest)
        write_int8_form(target / INT8, import_openvino(), network, record)


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
