"""Candidates are the images with common descriptors, however the work is dealt to threads."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from landslide_cli.imagery.overlap import Features, MatchSettings, candidates, extract
from landslide_cli.imagery.overlap.candidates import (
    candidates_among,
    candidates_within,
    limit_of,
)

Image = NDArray[np.uint8]
NEIGHBOURS = 16


def nothing() -> None:
    pass


@pytest.fixture(scope="module")
def features(ground: Image, unrelated: list[Image], settings: MatchSettings) -> list[Features]:
    """Two overlapping views, the second one's mirror image, and others."""
    views = [ground[:256, :256], ground[100:356, 120:376], ground[100:356, 120:376][:, ::-1]]
    return [extract(np.ascontiguousarray(view), settings) for view in (*views, *unrelated)]


def test_candidates_are_the_overlapping_views(features: list[Features]) -> None:
    matches = candidates_within(features, [0] * len(features), nothing)
    pairs = {(match.first, match.second, match.mirrored) for match in matches if match.votes > 40}
    assert pairs == {(0, 1, False), (0, 2, True), (1, 2, True)}


def test_candidates_do_not_depend_on_threads_or_repetition(
    features: list[Features], monkeypatch: pytest.MonkeyPatch
) -> None:
    once = candidates_within(features, [0] * len(features), nothing)
    assert candidates_within(features, [0] * len(features), nothing) == once
    for threads in (1, 5):
        monkeypatch.setattr("os.cpu_count", lambda: threads)  # noqa: B023
        assert candidates_within(features, [0] * len(features), nothing) == once


def test_references_are_looked_up_and_not_the_queries(features: list[Features]) -> None:
    matches = candidates_among(features[:1], features[1:], nothing)
    assert [(match.first, match.second) for match in matches[:2]] == [(0, 0), (0, 1)]
    strangers = candidates_among(features[3:5], features[5:], nothing)
    assert all(match.votes < 10 for match in strangers)


def test_ground_that_many_images_show_is_found(
    features: list[Features], settings: MatchSettings
) -> None:
    crowd = [features[0]] * (2 * NEIGHBOURS)
    matches = candidates_among(features[:1], [*crowd, *features[3:]], nothing)
    assert matches
    assert {match.second for match in matches if match.votes > 40} <= set(range(len(crowd)))


def test_only_so_many_descriptors_are_indexed(
    features: list[Features], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(candidates, "MOST_INDEXED", 0)
    pairs = {
        (match.first, match.second)
        for match in candidates_within(features, [0] * len(features), nothing)
    }
    assert {(0, 1), (0, 2), (1, 2)} <= pairs


def test_small_images_leave_their_share_of_the_index_to_large_ones(
    features: list[Features],
    settings: MatchSettings,
    ground: Image,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    small = extract(np.ascontiguousarray(ground[:64, :64]), settings)
    few, large = len(small.points), len(features[0].points)
    monkeypatch.setattr(candidates, "FEWEST_INDEXED", 1)
    monkeypatch.setattr(candidates, "MOST_INDEXED", 40 * few + large)
    assert (40 * few + large) / 41 < large
    assert limit_of([features[0], *[small] * 40]) == large
    # Of too many large images each keeps the same.
    monkeypatch.setattr(candidates, "MOST_INDEXED", large)
    assert limit_of([features[0]] * 4) == large // 4


def test_images_of_several_sources_are_compared_with_those_of_others(
    features: list[Features],
) -> None:
    together = candidates_within(features, [0] * len(features), nothing)
    apart = candidates_within(features, [0, 1, 2, *[0] * (len(features) - 3)], nothing)
    found, expected = (
        {(match.first, match.second, match.mirrored) for match in matches if match.votes > 20}
        for matches in (apart, together)
    )
    assert found == expected


def test_progress_is_told_once_an_image(features: list[Features]) -> None:
    steps: list[None] = []
    candidates_within(features, [0] * len(features), lambda: steps.append(None))
    assert len(steps) == len(features)
    steps.clear()
    candidates_within(features, [0, 1, *[2] * (len(features) - 2)], lambda: steps.append(None))
    assert len(steps) == 2 * len(features)
    steps.clear()
    candidates_among(features[:4], features, lambda: steps.append(None))
    assert len(steps) == 4


def test_fewer_descriptors_than_neighbours_are_no_hindrance(
    ground: Image, unrelated: list[Image], settings: MatchSettings
) -> None:
    few = replace(settings, features=NEIGHBOURS // 3)
    features = [extract(image, few) for image in (ground, unrelated[0])]
    assert candidates_within(features[:1], [0], nothing) == []
    assert [match.second for match in candidates_among(features[:1], features, nothing)] == [0]
