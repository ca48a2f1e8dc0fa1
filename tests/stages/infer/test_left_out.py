"""What is said of outputs that some scenes cannot have."""

from pathlib import Path

import pytest

from landslide_cli.profile import InferSettings
from landslide_cli.runs.scales import SceneScale
from landslide_cli.stages.infer.left_out import tell_left_out
from landslide_cli.stages.infer.result import MappedScene
from tests.conftest import RecordingReporter


def mapped(name: str, unit: str, *kinds: str) -> MappedScene:
    files = {kind: Path(kind) for kind in kinds}
    scale = SceneScale((1.0, 1.0), None, ())
    return MappedScene(name, Path(name), files, 8, 8, None, scale, {}, [], unit, False)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (InferSettings(), []),
        (InferSettings(volume=True), ["b: no heights or volumes"]),
        (InferSettings(polygons=["gpkg", "kml"]), ["b: no KML"]),
    ],
)
def test_scenes_without_a_place_are_named_where_one_is_needed(
    settings: InferSettings, expected: list[str]
) -> None:
    reporter = RecordingReporter()
    tell_left_out([mapped("a", "m2", "gpkg", "kml"), mapped("b", "px", "gpkg")], settings, reporter)
    assert [note[: len(text)] for note, text in zip(reporter.notes, expected, strict=True)] == (
        expected
    )
