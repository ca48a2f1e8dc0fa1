"""Any network changes its precision, and back."""

import numpy as np
import pytest

from landslide_cli.core.networks.build import build_model
from landslide_cli.core.networks.rebuild import in_precision
from tests.core.networks.flexunets import small


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_a_model_converted_to_a_precision_and_back_is_unchanged(precision: str) -> None:
    image = np.random.default_rng(0).integers(0, 256, (1, 8, 8, 3)).astype(np.float32)
    model = build_model(small(normalization=True), 3, 2, seed=1)
    low = in_precision(model, precision)
    assert {layer.compute_dtype for layer in low.layers[1:-1]} == {precision}
    assert low.layers[-1].compute_dtype == "float32"
    back = in_precision(low, "float32")
    assert {layer.compute_dtype for layer in back.layers} == {"float32"}
    for weight, weight_back in zip(model.get_weights(), back.get_weights(), strict=True):
        np.testing.assert_array_equal(weight, weight_back)
    np.testing.assert_array_equal(model(image).numpy(), back(image).numpy())
    np.testing.assert_allclose(model(image), low(image), atol=0.02)
