"""Weights in compact files: `.npz` of arrays that are called by layer and variable.

Kernels are in half precision, the others in single. No pickle is read.
"""

import zipfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from landslide_cli.errors import ModelError
from landslide_cli.weights import FOLDER

Arrays = dict[str, NDArray[Any]]


def read_weights(path: Path) -> Arrays:
    """Read all arrays of a file, in single precision.

    Raises:
        ModelError: it is not there, or no such file.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name].astype(np.float32) for name in archive.files}
    except FileNotFoundError:
        raise ModelError(f"{path}: no such file of weights") from None
    except (OSError, EOFError, ValueError, AttributeError, zipfile.BadZipFile) as error:
        raise ModelError(f"{path}: no file of weights, or a damaged one ({error})") from None


def packaged_weights(name: str) -> Arrays:
    """Read a file of weights that is in this package."""
    return read_weights(FOLDER / name)


def weights_of(model: Any) -> Arrays:
    """Return all of a network's weights by name, in single precision."""
    return {name: np.asarray(variable.numpy(), np.float32) for name, variable in _variables(model)}


def write_weights(path: Path, weights: Mapping[str, NDArray[Any]]) -> None:
    """Write weights, what has more than one axis in half precision."""
    halved = {
        name: values.astype(np.float16) if values.ndim > 1 else values
        for name, values in weights.items()
    }
    np.savez_compressed(path, allow_pickle=False, **halved)


def assign_weights(model: Any, weights: Mapping[str, NDArray[Any]]) -> list[str]:
    """Give a network the weights whose name and shape are those of its own.

    A kernel that has been trained on fewer bands is adapted by taking its bands in turn, one of
    more by their mean; it is rescaled so that equal bands give about what they gave before.

    Returns:
        The names of the network's weights that are left as they were.
    """
    left = []
    for name, variable in _variables(model):
        found = weights.get(name)
        if found is not None and found.shape != tuple(variable.shape):
            of_bands = variable.ndim == 4 and variable.shape[2] == model.input_shape[-1]
            found = _with_bands(found, tuple(variable.shape)) if of_bands else None
        if found is None:
            left.append(name)
        else:
            variable.assign(found)
    return left


def _variables(model: Any) -> list[tuple[str, Any]]:
    named = []
    for layer in model.layers:
        # A layer may hold others, whose variables have the same names.
        seen: Counter[str] = Counter()
        for variable in layer.weights:
            seen[variable.name] += 1
            count = seen[variable.name]
            suffix = f"_{count}" if count > 1 else ""
            named.append((f"{layer.name}/{variable.name}{suffix}", variable))
    return named


def _with_bands(kernel: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any] | None:
    """Adapt a kernel (rows, cols, bands, filters) to the bands of `shape`, if that is all."""
    is_like = kernel.ndim == len(shape) == 4 and kernel.shape[3] == shape[3]
    if not is_like or kernel.shape[:2] != shape[:2]:
        return None
    trained, wanted = kernel.shape[2], shape[2]
    if wanted < trained:
        kernel = kernel.mean(axis=2, keepdims=True).repeat(trained, axis=2)
    return np.asarray(kernel[:, :, np.arange(wanted) % trained] * (trained / wanted))
