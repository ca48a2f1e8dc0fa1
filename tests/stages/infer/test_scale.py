"""At which GSD the model sees a scene, and what is said of it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from affine import Affine
from numpy.typing import NDArray

from landslide_cli.profile import Profile
from landslide_cli.stages.infer import infer_tiled
from landslide_cli.stages.infer.result import InferResult
from tests.conftest import RecordingReporter
from tests.stages.infer.cases import values_of

Write = Callable[..., Path]
Bright = Callable[..., Profile]
Seen = list[NDArray[np.uint8]]

COARSE = "10 m per pixel; the model was trained for 1.33 to 3.08 m: expect most landslides"
NOWHERE = "GSD not known, so resized by 0.25, right for 0.5 m per pixel; otherwise set infer.sc"


def utm(gsd: float) -> dict[str, Any]:
    return {"crs": "EPSG:32648", "transform": Affine(gsd, 0, 5e5, 0, -gsd, 3_400_000)}


@pytest.fixture
def mapped(tmp_path: Path, reporter: RecordingReporter) -> Callable[..., InferResult]:
    """Map the scenes of a folder."""

    def run(profile: Profile, folder: str = "scenes") -> InferResult:
        images = [str(tmp_path / folder)]
        return infer_tiled(profile, images, output=tmp_path / "maps", reporter=reporter)

    return run


def test_scenes_of_every_resolution_are_seen_at_the_gsd_of_the_training(
    bright_at: Bright,
    plant: Write,
    mapped: Callable[..., InferResult],
    reporter: RecordingReporter,
    seen_windows: Seen,
) -> None:
    """The same 128 x 96 m of ground, of which 32 x 40 m are a landslide."""
    for name, gsd, size in (("drone", 0.125, 8), ("aerial", 0.5, 2), ("satellite", 2.0, 0.5)):
        rows, cols = (slice(round(a * size), round(b * size)) for a, b in ((16, 48), (32, 72)))
        shape = round(96 * size), round(128 * size)
        plant(f"scenes/{name}.tif", (shape), [(rows, cols)], **utm(gsd))
    result = mapped(bright_at("infer.tile=whole"))
    assert [windows.shape[1:3] for windows in seen_windows] == [(48, 64)] * 3
    for scene in result.scenes:
        assert scene.totals[0].area == pytest.approx(32 * 40, rel=0.01)
        assert scene.scale.model_gsd == pytest.approx(2.0, rel=1e-3)
        assert scene.scale.warnings == ()
    assert reporter.notes[0] == "the model sees 2 m per pixel"
    assert reporter.warnings == []


def test_a_scene_in_degrees_is_seen_with_square_pixels(
    bright_at: Bright, plant: Write, mapped: Callable[..., InferResult], seen_windows: Seen
) -> None:
    """At 65 degrees north a degree of longitude is 0.42 times one of latitude."""
    degree_row, degree_col = 111_493.0, 47_176.0  # metres, on the ellipsoid
    ground = Affine(0.5 / degree_row, 0, 105, 0, -0.5 / degree_row, 65.0)
    place = np.s_[20:60, 100:200]
    plant("scenes/north.tif", (96, 256), [place], crs="EPSG:4326", transform=ground)
    # By the scale alone the columns, which are finer, keep their resolution times the scale.
    by_scale: dict[str, Any] = {"gsd": None, "scale": 0.5}
    for recorded, gsd in (({}, 2.0), (by_scale, degree_col / degree_row)):
        seen_windows.clear()
        (scene,) = mapped(bright_at("infer.tile=whole", **recorded)).scenes
        rows, cols = 96 * 0.5 / gsd, 256 * 0.5 * degree_col / degree_row / gsd
        height, width = seen_windows[0].shape[1:3]
        # Windows are multiples of the network's stride.
        assert (height, width) == pytest.approx((rows, cols), abs=1)
        assert scene.scale.model_gsd == pytest.approx(gsd, rel=2e-3)
        area = 40 * 100 * 0.25 * degree_col / degree_row
        assert scene.totals[0].area == pytest.approx(area, rel=0.05)
        assert values_of(scene.mask).shape == (96, 256)


def test_a_scale_that_was_asked_for_takes_precedence(
    bright_at: Bright, plant: Write, mapped: Callable[..., InferResult], reporter: RecordingReporter
) -> None:
    plant("scenes/here.tif", **utm(0.5))
    plant("scenes/lost.tif")
    for overrides in (["infer.scale=0.6"], ["infer.gsd=null"]):
        scales = [scene.scale for scene in mapped(bright_at(*overrides, scale=0.6)).scenes]
        assert [scale.scale_factors for scale in scales] == [(0.6, 0.6)] * 2
        assert scales[0].model_gsd == pytest.approx(0.5 / 0.6, rel=1e-3)
        # For a scene that has no GSD nothing was assumed that was not asked for.
        assert (scales[1].model_gsd, scales[1].warnings) == (None, ())
    assert (
        reporter.warnings
        == [
            "here: resized to 0.834 m per pixel; the model was trained for 1.33 to 3.08 m: "
            "expect a poor map"
        ]
        * 2
    )


def test_a_run_that_does_not_know_its_gsd_has_a_scale_and_nothing_to_say(
    bright_at: Bright, plant: Write, mapped: Callable[..., InferResult], reporter: RecordingReporter
) -> None:
    plant("scenes/coarse.tif", **utm(10.0))
    plant("scenes/lost.tif")
    result = mapped(bright_at(gsd=None, gsd_range=None))
    assert [scene.scale.scale_factors for scene in result.scenes] == [(0.25, 0.25)] * 2
    assert reporter.notes == ["the model sees 40 m per pixel"]
    assert reporter.warnings == []


def test_what_is_wrong_with_the_gsd_is_said_once_for_all_scenes_and_recorded(
    bright_at: Bright,
    plant: Write,
    mapped: Callable[..., InferResult],
    reporter: RecordingReporter,
    tmp_path: Path,
) -> None:
    for name in ("a", "b"):
        plant(f"scenes/{name}.tif", (12, 12), [], **utm(10.0))
    for name in ("c", "d", "e", "f"):
        plant(f"scenes/{name}.tif", (12, 12), [])
    plant("scenes/g.tif", (12, 12), [], **utm(3.0))
    profile = bright_at()
    for unchanged in (False, True):
        reporter.warnings.clear()
        result = mapped(profile)
        assert all(scene.unchanged is unchanged for scene in result.scenes)
        first, second = reporter.warnings
        assert first.startswith(f"a, b: {COARSE}")
        assert second.startswith(f"c, d, e and 1 more: {NOWHERE}")
        document = json.loads(json.dumps(result.document()))
        scenes = {scene["scene"]: scene for scene in document["scenes"]}
        record = json.loads((tmp_path / "maps" / "infer.json").read_text(encoding="utf-8"))
        for name, begin in (("a", COARSE), ("c", NOWHERE)):
            for entry in (scenes[name], record["scenes"][name]):
                (warning,) = entry["warnings"]
                assert warning.startswith(begin)
        for entry in (scenes["g"], record["scenes"]["g"]):
            assert entry["warnings"] == []
            assert entry["scale_factors"] == pytest.approx([1.5, 1.5], rel=1e-3)
            assert entry["model_gsd"] == pytest.approx(2.0, rel=2e-3)
        assert scenes["c"]["model_gsd"] is None


def test_scenes_are_mapped_again_if_the_gsd_of_the_run_is_another(
    bright_at: Bright, plant: Write, mapped: Callable[..., InferResult]
) -> None:
    plant("scenes/here.tif", **utm(0.5))
    assert not mapped(bright_at()).scenes[0].unchanged
    assert mapped(bright_at()).scenes[0].unchanged
    assert not mapped(bright_at(gsd=1.5)).scenes[0].unchanged
