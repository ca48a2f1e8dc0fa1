"""Volumes by published relations."""

import numpy as np
import pytest

from landslide_cli.imagery.vector.volumes import volumes_of


def test_volumes_are_those_of_the_papers_to_two_digits() -> None:
    fields = volumes_of(np.array([1e4]))
    assert fields["volume_guzzetti_m3"].tolist() == [47_000]  # 0.074 * 1e4 ^ 1.45
    assert fields["volume_larsen_m3"].tolist() == [31_000]  # 10 ^ (-0.836 + 4 * 1.332)
    assert fields["volume_least_m3"].tolist() == [25_000]  # soil
    assert fields["volume_most_m3"].tolist() == [100_000]  # bedrock


@pytest.mark.parametrize("area", [0.5, 2e9])
def test_areas_outside_of_the_relations_have_no_volume(area: float) -> None:
    assert all(np.isnan(column).all() for column in volumes_of(np.array([area])).values())
