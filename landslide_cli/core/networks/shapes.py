"""Output shapes of a network's operations."""

from typing import Any

from landslide_cli.core.networks.backend import keras


def output_shapes(model: Any, height: int, width: int) -> dict[str, tuple[int, ...]]:
    """Return each operation's output shape, without the batch, for a `height` x `width` image.

    Operations are the layers, and bare additions and the like between them, by name.
    """
    operations = model.operations
    probe = keras.Model(model.inputs, [operation.output for operation in operations])
    bands = model.input_shape[-1]
    specs = probe.compute_output_spec(keras.KerasTensor((1, height, width, bands)))
    names = [operation.name for operation in operations]
    return {name: tuple(spec.shape[1:]) for name, spec in zip(names, specs, strict=True)}
