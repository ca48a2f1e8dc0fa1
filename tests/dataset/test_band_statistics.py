"""Mean and deviation over the training set, put together of those of the scenes."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from landslide_cli.dataset.band_statistics import moments_of, pooled


@given(st.lists(st.integers(1, 30), min_size=1, max_size=5), st.integers(0, 99))
def test_pooled_is_what_all_pixels_together_have(sizes: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    scenes = [rng.normal(5.0, 3.0, (rows, 4, 2)) for rows in sizes]
    pixels = np.concatenate(scenes).reshape(-1, 2)
    (first, second) = pooled([moments_of(scene, None) for scene in scenes])
    np.testing.assert_allclose(first, (pixels[:, 0].mean(), pixels[:, 0].std()))
    np.testing.assert_allclose(second, (pixels[:, 1].mean(), pixels[:, 1].std()))


def test_pixels_without_data_do_not_count() -> None:
    scene = np.array([[[1.0], [3.0], [1e9]]])
    valid = np.array([[True, True, False]])
    assert moments_of(scene, valid) == [(2, 2.0, 1.0)]
    assert moments_of(scene, np.zeros_like(valid)) == [(0, 0.0, 0.0)]
    assert pooled([moments_of(scene, valid), moments_of(scene, ~valid & False)]) == [(2.0, 1.0)]
