"""What a training knows of the size at which its scenes were prepared."""

from collections.abc import Callable

import pytest

from landslide_cli.dataset.preprocessing import training_preprocessing
from landslide_cli.dataset.sources import labelled_scenes_of
from landslide_cli.profile import Profile

Load = Callable[..., Profile]


def test_a_training_knows_its_gsd_and_how_far_it_has_zoomed(sources: Load) -> None:
    zooms = ("source.0.zoom=[0.8, 1.6]", "source.1.zoom=[0.5, 1.0]", "source.2.zoom=[0.1, 4.0]")
    profile = sources(*zooms, "train.mosaic=true")
    known = training_preprocessing(profile, labelled_scenes_of(profile)[:2])
    assert known.gsd == 2.0
    assert known.scale == pytest.approx(0.25)
    assert known.gsd_range == pytest.approx((2.0 / 1.6, 2.0 / 0.5))
    # Crops of single scenes are not zoomed by their source.
    assert training_preprocessing(sources(*zooms), ()).gsd is None
    profile = sources("train.augment.zoom={probability: 1.0, range: [0.5, 2.0]}")
    known = training_preprocessing(profile, labelled_scenes_of(profile))
    assert known.gsd_range == pytest.approx((1.0, 4.0))
    # Scenes without georeference are taken for those of the first source.
    assert known.scale == pytest.approx(0.25)
