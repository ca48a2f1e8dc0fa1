"""The OpenVINO form of a trained model, converted once and kept with the run."""

import multiprocessing
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict
from pathlib import Path

from landslide_cli.documents import read_json, restored, write_json
from landslide_cli.errors import DataError, ModelError, OutputError, first_line
from landslide_cli.locks import Owner, clear_leftovers, in_turn
from landslide_cli.outputs import whole_folder
from landslide_cli.processes import end_with_parent, ending_children, without_the_script
from landslide_cli.records import Input
from landslide_cli.reporting import Reporter
from landslide_cli.runs.keras_model import load_keras
from landslide_cli.runs.openvino_library import import_openvino
from landslide_cli.runs.openvino_parts import put_together

# The folder of the form, the network in it, and which Keras file that was made from.
_FOLDER, _NETWORK, _MADE_FROM = "openvino", "model.xml", "made_from.json"


def fingerprint_of(model: Path, home: Path | None = None) -> str:
    """Return what identifies a model file: the digest of its bytes.

    They are not read again once the model has been converted.
    """
    return Input.of(model, _recorded(_folder(model, home))).digest


def converted(
    model: Path, reporter: Reporter, home: Path | None = None, architecture: str | None = None
) -> Path:
    """Return the model in OpenVINO's form, converting it first if that was not done yet.

    A model with `openvino_parts` is put together, which takes no time worth telling.
    It is kept in `openvino` in a folder, or for this process alone where nothing can be written
    there. If another process is converting it, this one waits for that.

    Args:
        model: the Keras file.
        reporter: told of the conversion, which takes seconds.
        home: the folder. Default: the model's.
        architecture: what has built it, as `runs.keras_model.load_keras` takes it.

    Raises:
        ModelError: the model cannot be converted.
    """
    folder = _folder(model, home)
    if not _is_of(folder, model):
        try:
            with in_turn(_lock(folder), "converted", _teller(model, reporter)):
                # Another process may have converted it meanwhile.
                if not _is_of(folder, model):
                    clear_leftovers(folder.parent)
                    _convert_into(folder, model, architecture, reporter)
        except OutputError as error:
            reporter.warn(f"the converted model cannot be stored: {error}")
            # Removed by the system: the model is read from it again for each size of window.
            folder = Path(tempfile.mkdtemp(prefix="landslide-")) / _FOLDER
            _convert_into(folder, model, architecture, reporter)
    return folder / _NETWORK


def _is_of(folder: Path, model: Path) -> bool:
    """Whether a folder has the converted model, whole and of the same bytes."""
    made_from = _recorded(folder)
    if made_from is None or not (folder / _NETWORK).is_file():
        return False
    return made_from.digest == Input.of(model, made_from).digest


def _lock(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.lock")


def _teller(model: Path, reporter: Reporter) -> Callable[[Owner], None]:
    def tell(owner: Owner) -> None:
        reporter.note(f"waiting for {owner}, which converts {model} for OpenVINO")

    return tell


def _convert_into(folder: Path, model: Path, architecture: str | None, reporter: Reporter) -> None:
    current = Input.of(model)
    with whole_folder(folder) as scratch:
        if not put_together(model, current.digest, scratch / _NETWORK):
            reporter.note(f"converting {model} for OpenVINO, once")
            with reporter.working("converting the model"):
                convert = _convert if has_tensorflow() else _convert_in_a_process
                convert(model, scratch, architecture)
        write_json(scratch / _MADE_FROM, asdict(current))


def has_tensorflow() -> bool:
    """Whether this process has TensorFlow loaded, as after a training, and may convert itself."""
    return "tensorflow" in sys.modules


def _convert_in_a_process(model: Path, folder: Path, architecture: str | None) -> None:
    """Convert in a process of its own: TensorFlow's memory is given back with it."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, context, end_with_parent) as pool, ending_children():
        try:
            with without_the_script():
                converting = pool.submit(_convert, model, folder, architecture)
            converting.result()
        except BrokenProcessPool:
            raise ModelError(
                f"{model}: its conversion for OpenVINO was killed, probably out of memory; "
                "try --set infer.engine=tensorflow"
            ) from None


def _convert(model: Path, folder: Path, architecture: str | None) -> None:
    """Export the Keras model, and write what OpenVINO reads of it, in full precision."""
    openvino = import_openvino()
    try:
        loaded = load_keras(model, architecture)
        with tempfile.TemporaryDirectory(dir=folder) as exported:
            loaded.export(exported, format="tf_saved_model", verbose=False)
            # Its weights are mapped from the exported files: written before these are removed.
            network = openvino.Core().read_model(exported)
            openvino.save_model(network, folder / _NETWORK, compress_to_fp16=False)
            del network
    except (OSError, ModelError):
        raise
    except Exception as error:  # each library raises its own
        reason = first_line(error)
        raise ModelError(f"{model}: cannot be converted for OpenVINO ({reason})") from None


def _folder(model: Path, home: Path | None) -> Path:
    return (home or model.parent) / _FOLDER


def _recorded(folder: Path) -> Input | None:
    try:
        document = read_json(folder / _MADE_FROM)
        return None if document is None else restored(Input, document, folder / _MADE_FROM)
    except DataError:
        return None  # converted again
