"""The OpenVINO form of a packaged model, put together from its Keras file without TensorFlow.

OpenVINO's weights are the Keras file's own with their axes in another order, but for the few that
it computes from several. So only its description, those few, and where the others belong need to be
packaged beside the Keras file; `make packaged-model` does.
"""

import zipfile
from io import BytesIO
from pathlib import Path
from typing import Any

import h5py
import numpy as np

# Beside the Keras file.
PARTS = "openvino.npz"

_WEIGHTS_IN_KERAS = "model.weights.h5"


def put_together(model: Path, digest: str, network: Path) -> bool:
    """Write the OpenVINO form of a Keras file, if its parts lie beside that.

    Args:
        model: the Keras file.
        digest: of its bytes.
        network: the file to write, with the suffix .xml; its weights are written beside it.

    Returns:
        Whether it was written: there may be no parts, or those of another model, or damaged ones.
    """
    path = model.with_name(PARTS)
    if not path.is_file():
        return False
    try:
        with np.load(path, allow_pickle=False) as parts:
            if str(parts["model"]) != digest:
                return False
            weights = _filled(model, parts)
            description = parts["description"].tobytes()
    except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile):
        return False  # the model is converted by TensorFlow, which takes longer
    network.write_bytes(description)
    network.with_suffix(".bin").write_bytes(weights)
    return True


def _filled(model: Path, parts: Any) -> bytes:
    """Return OpenVINO's weights with those of the Keras file in their places.

    Raises:
        KeyError: the Keras file has no such weights.
        ValueError: they are of another size.
    """
    weights = parts["weights"]
    with (
        zipfile.ZipFile(model) as archive,
        h5py.File(BytesIO(archive.read(_WEIGHTS_IN_KERAS))) as variables,
    ):
        for name, axes, offset in zip(parts["names"], parts["axes"], parts["offsets"], strict=True):
            values = np.asarray(variables[str(name)])
            content = np.frombuffer(values.transpose(axes[: values.ndim]).tobytes(), np.uint8)
            weights[offset : offset + len(content)] = content
    return bytes(weights)
