"""Weights by name, and compact files of them: `.npz` archives without pickled objects.

A weight is named by its layer and variable, such as `encoder_stem_conv/kernel`. In files, arrays of
two and more dimensions are in half precision, all others in single precision.
"""

import zipfile
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from landslide_cli.errors import ModelError
from landslide_cli.weights import FOLDER

Arrays = dict[str, NDArray[Any]]

# Bands of the images that encoders have learned from: red, green and blue.
_COLOURS = 3


def read_weights(path: Path) -> Arrays:
    """Read all arrays of a file, in single precision.

    Raises:
        ModelError: the file does not exist, or cannot be read as an archive of weights.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name].astype(np.float32) for name in archive.files}
    except FileNotFoundError:
        raise ModelError(f"{path}: no such weights file") from None
    except (OSError, EOFError, ValueError, AttributeError, zipfile.BadZipFile) as error:
        raise ModelError(f"{path}: not a weights file, or a damaged one ({error})") from None


def packaged_weights(encoder: str, folder: Path = FOLDER) -> Arrays:
    """Read the ImageNet weights of an encoder, which are in this package or were added to it.

    Raises:
        ModelError: they are not there, or the file cannot be read.
    """
    path = folder / f"{encoder}.npz"
    if not path.is_file():
        raise ModelError(
            f"model.encoder_weights: the ImageNet weights of {encoder} are not in this package;\n"
            f"`make encoder-weights` in a clone adds {path.name}; outside it, give that file's path"
        )
    return read_weights(path)


def weights_of(model: Any) -> Arrays:
    """Return all weights of a network by name, in single precision."""
    return {name: np.asarray(variable.numpy(), np.float32) for name, variable in _variables(model)}


def assign_weights(
    model: Any,
    weights: Mapping[str, NDArray[Any]],
    rgb_channels: Sequence[int | None] | None = None,
) -> list[str]:
    """Assign the weights whose name and shape match those of a network.

    A kernel that was trained on another number of bands is adapted: the network's bands take the
    kernel's in turn, or their mean if the network has fewer. It is rescaled so that an image of
    equal bands has about the same features as before.

    Args:
        model: the network.
        weights: by name.
        rgb_channels: which of the kernel's bands each of the network's takes instead, None for
            their mean.

    Returns:
        The names of the network's weights that were not assigned.
    """
    unmatched = []
    for name, variable in _variables(model):
        shape, values = tuple(variable.shape), weights.get(name)
        takes_bands = len(shape) == 4 and shape[2] == model.input_shape[-1]
        if values is not None and takes_bands and (values.shape != shape or rgb_channels):
            values = _adapt_bands(values, shape, rgb_channels)
        if values is None or values.shape != shape:
            unmatched.append(name)
        else:
            variable.assign(values)
    return unmatched


def _variables(model: Any) -> list[tuple[str, Any]]:
    """List the variables of a network, and their names."""
    named = []
    for layer in model.layers:
        # Variables of nested layers may have equal names, and are numbered.
        counts: Counter[str] = Counter()
        for variable in layer.weights:
            counts[variable.name] += 1
            count = counts[variable.name]
            suffix = f"_{count}" if count > 1 else ""
            named.append((f"{layer.name}/{variable.name}{suffix}", variable))
    return named


def _adapt_bands(
    kernel: NDArray[Any], shape: tuple[int, ...], rgb_channels: Sequence[int | None] | None
) -> NDArray[Any] | None:
    """Adapt a kernel (rows, cols, bands, filters) to the bands of `shape`, if all else is equal."""
    if kernel.ndim != 4 or kernel.shape[:2] != shape[:2] or kernel.shape[3] != shape[3]:
        return None
    trained, bands = kernel.shape[2], shape[2]
    if rgb_channels is not None and trained == _COLOURS:
        mean = kernel.mean(axis=2)
        taken = [mean if band is None else kernel[:, :, band] for band in rgb_channels]
        return np.asarray(np.stack(taken, axis=2) * (trained / bands))
    if bands < trained:
        kernel = kernel.mean(axis=2, keepdims=True).repeat(trained, axis=2)
    return np.asarray(kernel[:, :, np.arange(bands) % trained] * (trained / bands))
