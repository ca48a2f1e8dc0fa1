"""FLOP and sizes of features agree with a count by hand."""

import pytest

from landslide_cli.core.networks.build import build_model
from landslide_cli.core.networks.summary import feature_sizes, summarise_layers
from landslide_cli.profile import FlexUNetSettings


@pytest.mark.usefixtures("without_values")
def test_flop_of_a_small_network_agree_with_a_count_by_hand() -> None:
    model = build_model(FlexUNetSettings(base_filters=2, base_kernels=3, num_layers=2), 1, 2)
    flop = [layer.flop for layer in summarise_layers(model, 4, 4) if layer.flop]
    # Level 0 at 4 x 4, level 1 at 2 x 2, the transposed convolution, level 0 again, the head.
    assert flop == [
        2 * 9 * 1 * 2 * 16,
        2 * 9 * 2 * 2 * 16,
        2 * 9 * 2 * 4 * 4,
        2 * 9 * 4 * 4 * 4,
        2 * 4 * 4 * 2 * 4,
        2 * 9 * 4 * 2 * 16,
        2 * 9 * 2 * 2 * 16,
        2 * 1 * 2 * 2 * 16,
    ]


@pytest.mark.usefixtures("without_values")
def test_feature_sizes_of_a_small_network_agree_with_a_count_by_hand() -> None:
    settings = FlexUNetSettings(base_filters=2, base_kernels=3, num_layers=2, input_scaling=False)
    sizes, inputs = feature_sizes(build_model(settings, 1, 2), 4, 4)
    # The image; level 0, three layers of 4 x 4 x 2; pooling to 2 x 2 x 2; level 1, three layers of
    # 2 x 2 x 4; upsampling, concatenation, level 0 again, the head.
    assert sizes == [16, 32, 32, 32, 8, 16, 16, 16, 32, 64, 32, 32, 32, 32]
    concatenation = 9
    assert inputs == [
        [index - 1, 3] if index == concatenation else [index - 1] * (index > 0)
        for index in range(14)
    ]
