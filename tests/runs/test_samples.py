"""What a part consists of when it is scored, and what of it a run has learned from."""

from collections.abc import Callable
from typing import Any

import pytest

from landslide_cli.core.parts import PARTS
from landslide_cli.dataset.split_record import scene_names
from landslide_cli.profile import Profile
from landslide_cli.reporting import SilentReporter
from landslide_cli.runs.samples import samples_of, trained_on
from landslide_cli.stages.prepare import prepare
from landslide_cli.stages.split import split
from landslide_cli.stages.train import train

NAMES = "abcdef"


@pytest.fixture
def assigned(
    profile_with: Callable[..., Profile], write_scene: Callable[..., Any]
) -> Callable[..., Profile]:
    """Prepare and split six scenes, the first two of one place, with a profile's settings."""
    for name in NAMES:
        write_scene(name, rows=16, cols=32)

    def profile(*overrides: str) -> Profile:
        made = profile_with(
            *("split.folds=3", "fold=1", "split.overlap.content=false", "evaluate.units=scenes"),
            *(
                "split.groups=^([ab]|.)",
                "infer.engine=tensorflow",
                "infer.precision=float32",
                "train.epochs=1",
            ),
            *("model.base_filters=2", "model.base_kernels=3", "model.num_layers=2", *overrides),
        )
        prepare(made)
        split(made)
        return made

    return profile


def seen(profile: Profile, part: Any, fold_of_run: int) -> list[str]:
    """What the run of one fold has seen of the scenes of the first."""
    samples = samples_of(profile, part, None, SilentReporter())
    return trained_on(profile.model_copy(update={"fold": fold_of_run}), samples)


@pytest.mark.parametrize(
    "overrides", [("train.crop=16", "prepare.tile=null"), ("train.crop=null",)]
)
def test_a_run_has_seen_the_scenes_of_train_and_no_others(
    assigned: Callable[..., Profile], overrides: tuple[str, ...]
) -> None:
    profile = assigned(*overrides)
    train(profile)
    learned = scene_names(profile, "train")
    assert learned is not None
    assert {part: seen(profile, part, fold_of_run=1) for part in PARTS} == {
        "train": learned,
        "valid": [],
        "test": [],
    }
    # The second fold has no run yet.
    assert seen(profile, "test", fold_of_run=2) == []
    other = profile.model_copy(update={"fold": 2})
    train(other)
    learned_there = scene_names(other, "train")
    tested = scene_names(profile, "test")
    assert learned_there is not None
    assert tested is not None
    assert seen(profile, "test", fold_of_run=2) == [n for n in tested if n in learned_there] != []
