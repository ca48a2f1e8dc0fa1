"""Output shapes of a network's layers."""

from typing import Any

from landslide_cli.core.networks.backend import keras


def output_shapes(model: Any, height: int, width: int) -> dict[str, tuple[int, ...]]:
    """Return each layer's output shape, without the batch, for one image of `height` x `width`."""
    probe = keras.Model(model.inputs, [layer.output for layer in model.layers])
    bands = model.input_shape[-1]
    specs = probe.compute_output_spec(keras.KerasTensor((1, height, width, bands)))
    names = [layer.name for layer in model.layers]
    return {name: tuple(spec.shape[1:]) for name, spec in zip(names, specs, strict=True)}
