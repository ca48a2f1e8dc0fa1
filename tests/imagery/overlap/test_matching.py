"""One similarity explains the matches of two views of the same ground, or they are none."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from landslide_cli.imagery.overlap import MatchSettings, extract
from landslide_cli.imagery.overlap.matching import (
    common_shares,
    fit,
    match,
    moved,
    texture_correlation,
)

Image = NDArray[np.uint8]


def test_a_moved_view_fits_where_it_was_moved_to(ground: Image, settings: MatchSettings) -> None:
    first, second = ground[:256, :256], ground[60:316, 100:356]
    matched = fit(extract(first, settings), extract(second, settings), settings)
    assert matched is not None
    assert matched.convinces(settings)
    np.testing.assert_allclose(matched.transform, [[1, 0, -100], [0, 1, -60]], atol=0.3)
    assert matched.inliers > 30
    assert matched.agreement > 0.8
    assert matched.correlation > 0.9
    assert matched.overlap == pytest.approx(156 * 196 / 256**2, abs=0.01)


def test_other_ground_does_not_convince(unrelated: list[Image], settings: MatchSettings) -> None:
    features = [extract(image, settings) for image in unrelated]
    fits = [fit(a, b, settings) for a in features for b in features if a is not b]
    assert not any(matched and matched.convinces(settings) for matched in fits)


def test_few_matches_convince_only_with_the_same_texture(
    ground: Image, settings: MatchSettings
) -> None:
    first, second = extract(ground, settings), extract(ground[150:, 200:], settings)
    matched = fit(first, second, settings)
    assert matched is not None
    few = replace(matched, inliers=settings.inliers - 1)
    assert few.convinces(settings)
    assert not replace(few, correlation=settings.correlation - 0.01).convinces(settings)


def test_a_caption_in_common_is_not_ground_in_common(
    unrelated: list[Image], settings: MatchSettings
) -> None:
    stamp = np.random.default_rng(0).integers(0, 256, (20, 20, 3), np.uint8)
    captioned = []
    for image in unrelated[:2]:
        stamped = image.copy()
        stamped[10:30, 10:30] = stamp
        captioned.append(extract(stamped, settings))
    matched = fit(captioned[0], captioned[1], settings)
    assert matched is None or not matched.convinces(settings)


def test_matches_of_too_few_key_points_are_none(ground: Image, settings: MatchSettings) -> None:
    empty = extract(np.zeros((80, 80, 1), np.uint8), settings)
    full = extract(ground, settings)
    for first, second in ((empty, full), (full, empty), (empty, empty)):
        rows, cols = match(first, second, settings.ratio)
        assert len(rows) == len(cols) == 0
        assert fit(first, second, settings) is None


def test_shares_and_correlation_follow_from_the_transform(
    ground: Image, settings: MatchSettings
) -> None:
    whole, part = extract(ground, settings), extract(ground[100:400, 200:500], settings)
    transform = np.array([[1.0, 0, -200], [0, 1, -100]])
    smaller, larger = common_shares(whole, part, transform)
    assert smaller == pytest.approx(1)
    assert larger == pytest.approx(0.3)
    assert texture_correlation(whole, part, transform) > 0.9
    assert texture_correlation(part, whole, cv2.invertAffineTransform(transform)) > 0.9
    astray, away = (transform + np.array([[0, 0, off], [0, 0, 40]]) for off in (60, 999))
    assert abs(texture_correlation(whole, part, astray)) < 0.3
    assert texture_correlation(whole, part, away) == 0
    np.testing.assert_allclose(moved(np.array([[200.0, 100.0]]), transform), [[0, 0]])
