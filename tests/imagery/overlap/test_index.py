"""Near neighbours are found wherever they are in the index, and none that are merely nearest."""

import numpy as np
import pytest
from numpy.typing import NDArray

from landslide_cli.imagery.overlap.index import DescriptorIndex, KeyPoints

IMAGES, EACH = 40, 50


def key_points(descriptors: NDArray[np.uint8], images: int = IMAGES) -> KeyPoints:
    ones = np.ones(len(descriptors), np.float32)
    owners = np.repeat(np.arange(images, dtype=np.int32), len(descriptors) // images)
    return KeyPoints(descriptors, owners, ones, ones)


@pytest.fixture(scope="module")
def descriptors() -> NDArray[np.uint8]:
    """Unrelated descriptors of norm 512, about 400 apart, EACH of IMAGES."""
    values = np.random.default_rng(0).exponential(size=(IMAGES * EACH, 128))
    norms = np.linalg.norm(values, axis=1, keepdims=True)
    return np.asarray(np.rint(512 * values / norms), np.uint8)


def changed(descriptors: NDArray[np.uint8], by: float) -> NDArray[np.uint8]:
    noise = np.random.default_rng(1).normal(scale=by, size=descriptors.shape)
    return np.clip(np.rint(descriptors + noise), 0, 255).astype(np.uint8)


def test_descriptors_that_changed_a_little_are_found(descriptors: NDArray[np.uint8]) -> None:
    found = DescriptorIndex(key_points(descriptors)).neighbours(
        key_points(changed(descriptors, 8.0))
    )
    right = found.queries == found.rows
    assert len(np.unique(found.queries[right])) > 0.95 * len(descriptors)
    assert right.mean() > 0.99
    assert (found.weights[right] > 0.5).all()


def test_the_nearer_a_neighbour_the_more_it_weighs(descriptors: NDArray[np.uint8]) -> None:
    index = DescriptorIndex(key_points(descriptors))
    means = []
    for by in (0.0, 5.0, 10.0):
        found = index.neighbours(key_points(changed(descriptors, by)))
        means.append(found.weights[found.queries == found.rows].mean())
    assert means[0] == 1.0 > means[1] > means[2] > 0.0


def test_unrelated_descriptors_have_no_neighbours(descriptors: NDArray[np.uint8]) -> None:
    half = len(descriptors) // 2
    index = DescriptorIndex(key_points(descriptors[:half], IMAGES // 2))
    assert len(index.neighbours(key_points(descriptors[half:], IMAGES // 2)).rows) == 0


def test_an_image_is_no_neighbour_of_itself(descriptors: NDArray[np.uint8]) -> None:
    again = descriptors.copy()
    again[-EACH:] = again[:EACH]  # the last image is a copy of the first
    points = key_points(again)
    found = DescriptorIndex(points).neighbours(points, are_own=True)
    pairs = {*zip(points.owners[found.queries].tolist(), points.owners[found.rows], strict=True)}
    assert pairs == {(0, IMAGES - 1), (IMAGES - 1, 0)}


def test_of_many_copies_several_are_found(descriptors: NDArray[np.uint8]) -> None:
    crowd = np.tile(descriptors[:EACH], (IMAGES, 1))
    found = DescriptorIndex(key_points(crowd)).neighbours(key_points(descriptors[:EACH], 1))
    _, times = np.unique(found.queries, return_counts=True)
    assert len(times) == EACH
    assert times.min() >= 8


def test_nothing_is_found_in_nothing(descriptors: NDArray[np.uint8]) -> None:
    none = key_points(descriptors[:0], 1)
    assert len(DescriptorIndex(none).neighbours(key_points(descriptors)).rows) == 0
    assert len(DescriptorIndex(key_points(descriptors)).neighbours(none).rows) == 0
