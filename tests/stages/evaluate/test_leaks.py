"""Which samples a run knows, by its own training or through the models that it goes back to."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from landslide_cli.imagery.raster.images import read_image, write_image
from landslide_cli.imagery.synthetic import draw_scene
from landslide_cli.profile import Profile
from landslide_cli.records import Record
from landslide_cli.runs.ancestry import Ancestor, document_of, learned_from
from landslide_cli.runs.files import RUN_RECORD
from landslide_cli.runs.samples import Sample, Samples
from landslide_cli.stages.evaluate.leaks import Leak, report_leaks
from tests.conftest import RecordingReporter


@pytest.fixture
def profile(profile_with: Callable[..., Profile]) -> Profile:
    return profile_with()


@pytest.fixture
def places(tmp_path: Path) -> list[Path]:
    """Four places, drawn."""
    paths = [tmp_path / f"{name}.png" for name in "abcd"]
    for index, path in enumerate(paths):
        write_image(path, draw_scene(3, index, 160, 160)[0])
    return paths


def scenes(paths: Sequence[Path]) -> Samples:
    return Samples("scenes", [Sample(p.stem, p.stem, p, None) for p in paths], grouped=True)


def write_run(profile: Profile, learned: Sequence[Path], *ancestors: Ancestor) -> str:
    own = learned_from(profile, {path.stem: path for path in learned}, {})
    profile.run.mkdir(parents=True)
    record = Record({"train.crop": 64}, {}, document_of(own, ancestors))
    record.write(profile.run / RUN_RECORD)
    return str(profile.run)


def ancestor(profile: Profile, model: str, *paths: Path) -> Ancestor:
    return Ancestor(model, learned_from(profile, {p.stem: p for p in paths}, {}), [])


def test_what_ancestors_learned_from_is_warned_of_at_any_depth(
    profile: Profile, places: list[Path], reporter: RecordingReporter, tmp_path: Path
) -> None:
    a, b, c, d = places
    near, far = ancestor(profile, "runs/near", a), ancestor(profile, "landslide", a, b)
    run = write_run(profile, [d], near, far)
    half = cv2.resize(read_image(b, 3), (80, 80), interpolation=cv2.INTER_AREA)
    write_image(tmp_path / "half.tif", np.asarray(half, np.uint8))
    leaks, warnings = report_leaks(profile, scenes([a, c, tmp_path / "half.tif"]), reporter)
    assert leaks == [
        Leak("a", run, "runs/near", "a", "file"),
        Leak("half", run, "landslide", "b", "copy"),
    ]
    assert warnings == reporter.warnings
    first, second = warnings
    assert first.startswith(f"{run} goes back to runs/near, which was trained on ground of 1 of")
    assert "goes back to the packaged model `landslide`, which was trained on ground" in second
    assert second.endswith(
        "1 of these 3 scenes (1 recognised by content), so the scores will be optimistic: half"
    )


def test_what_nobody_learned_from_is_not_warned_of(
    profile: Profile, places: list[Path], reporter: RecordingReporter
) -> None:
    write_run(profile, places[:1], ancestor(profile, "landslide", places[1]))
    assert report_leaks(profile, scenes(places[2:]), reporter) == ([], [])
    assert reporter.warnings == []


def test_a_scene_of_its_own_training_is_told_of_the_run_alone(
    profile: Profile, places: list[Path], reporter: RecordingReporter
) -> None:
    run = write_run(profile, places[:1], ancestor(profile, "landslide", *places[:1]))
    leaks, (warning,) = report_leaks(profile, scenes(places), reporter)
    assert leaks == [Leak("a", run, run, "a", "file")]
    assert warning.startswith(f"{run} was trained on ground of 1 of these 4 scenes, so")


@pytest.mark.parametrize("content", [True, False])
def test_own_scenes_are_compared_by_content_as_the_split_does(
    profile_with: Callable[..., Profile],
    places: list[Path],
    reporter: RecordingReporter,
    tmp_path: Path,
    content: bool,
) -> None:
    profile = profile_with(f"split.overlap.content={str(content).lower()}")
    write_run(profile, places[:1], ancestor(profile, "landslide", places[1]))
    for path in places[:2]:
        copy = path.with_name(f"{path.stem}-again.tif")
        write_image(copy, read_image(path, 3))
    shown = scenes([tmp_path / "a-again.tif", tmp_path / "b-again.tif"])
    leaks, _ = report_leaks(profile, shown, reporter)
    assert [leak.scene for leak in leaks] == (["a-again"] if content else []) + ["b-again"]


def test_a_model_without_a_record_is_scored_without_a_word(
    profile: Profile, places: list[Path], reporter: RecordingReporter
) -> None:
    assert report_leaks(profile, scenes(places), reporter) == ([], [])
    document: Any = Leak("a", "r", "m", None, "split").document()
    assert document == {"scene": "a", "run": "r", "model": "m", "shows": None, "evidence": "split"}
