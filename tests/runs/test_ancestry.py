"""What a model and its ancestors have learned from, and which samples that tells of."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from landslide_cli.dataset.scenes import Scene
from landslide_cli.errors import DataError
from landslide_cli.imagery.raster.images import read_image, write_image
from landslide_cli.imagery.synthetic import draw_scene
from landslide_cli.profile import Profile
from landslide_cli.records import Input, Record
from landslide_cli.runs.ancestry import (
    Ancestor,
    Known,
    Learned,
    document_of,
    images_of_tiles,
    known_samples,
    learned_events,
    learned_from,
    lineage_of,
)
from landslide_cli.runs.files import PACKAGED, RUN_RECORD
from landslide_cli.runs.samples import Sample, Samples
from landslide_cli.stages.prepare import prepare


@pytest.fixture
def profile(profile_with: Callable[..., Profile]) -> Profile:
    return profile_with()


@pytest.fixture
def scenes(tmp_path: Path) -> list[Path]:
    """Three places, drawn."""
    paths = [tmp_path / f"{name}.png" for name in "abc"]
    for index, path in enumerate(paths):
        write_image(path, draw_scene(3, index, 160, 160)[0])
    return paths


def copy_of(path: Path, side: int) -> Path:
    """Write a scene anew, as a GeoTIFF of another size and name."""
    image = cv2.resize(read_image(path, 3), (side, side), interpolation=cv2.INTER_AREA)
    copy = path.with_name(f"{path.stem}-{side}.tif")
    write_image(copy, np.asarray(image, np.uint8))
    return copy


def samples_of(paths: Sequence[Path], groups: Sequence[str] | None = None) -> Samples:
    names = groups or [path.stem for path in paths]
    items = [Sample(p.stem, g, p, None) for p, g in zip(paths, names, strict=True)]
    return Samples("scenes", items, grouped=True)


def described(profile: Profile, *paths: Path) -> list[Learned]:
    return learned_from(profile, {path.stem: path for path in paths}, {})


def write_run(
    folder: Path, inputs: Sequence[Path] = (), weights: str | None = None, **result: Any
) -> Path:
    """Write the record of a run with these inputs, and nothing else of it."""
    folder.mkdir(exist_ok=True)
    files = {str(path): Input.of(path) for path in inputs}
    Record({"model.weights": weights}, files, result).write(folder / RUN_RECORD)
    return folder


def test_a_record_keeps_what_the_run_and_its_ancestors_learned_from(
    profile: Profile, scenes: list[Path], tmp_path: Path
) -> None:
    own, first = (
        described(profile, scenes[0]),
        Ancestor("runs/b", described(profile, scenes[1]), []),
    )
    deeper = Ancestor("landslide", described(profile, scenes[2]), ["Kodagu 2018"])
    run = write_run(tmp_path / "run", **document_of(own, [first, deeper]), events=["Here 2020"])
    assert lineage_of(run) == [Ancestor(str(run), own, ["Here 2020"]), first, deeper]


def test_files_are_described_as_the_inputs_of_the_training_are(
    profile: Profile, scenes: list[Path]
) -> None:
    known = replace(Input.of(scenes[0]), digest="as read before")
    first, second = learned_from(profile, {p.stem: p for p in scenes[:2]}, {str(scenes[0]): known})
    assert (first.name, first.digest) == ("a", "as read before")
    assert (second.name, second.digest) == ("b", Input.of(scenes[1]).digest)
    assert second.sketch


def test_runs_of_earlier_versions_are_known_by_the_files_of_their_trainings(
    scenes: list[Path], tmp_path: Path
) -> None:
    packaged = lineage_of(PACKAGED)
    first = write_run(tmp_path / "first", scenes[:1], weights="landslide")
    second = write_run(tmp_path / "second", scenes[1:2], weights=str(first))
    names = [[scene.name for scene in model.scenes] for model in lineage_of(second)[:2]]
    # Its own files may be of its validation set; the split tells which are.
    assert names == [[], ["a"]]
    assert lineage_of(second)[2:] == packaged
    started_from = lineage_of(second, by_files=True)
    assert [scene.name for scene in started_from[0].scenes] == ["b"]


def test_runs_that_start_from_each_other_end(scenes: list[Path], tmp_path: Path) -> None:
    a, b = tmp_path / "a", tmp_path / "b"
    write_run(a, weights=str(b))
    write_run(b, weights=str(a))
    assert [model.model for model in lineage_of(a)] == [str(a), str(b)]


def test_a_model_from_elsewhere_has_no_lineage(tmp_path: Path) -> None:
    assert lineage_of(tmp_path / "elsewhere") == []


@pytest.mark.parametrize(
    "learned", [[["a", 1, "d", "AAAA"]], [["a", 1]], [["a", "1", "d", ""]], {"a": 1}]
)
def test_a_damaged_record_is_refused(learned: Any, tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", learned=learned)
    with pytest.raises(DataError, match=r"run\.json: cannot be read as a record"):
        lineage_of(run)


def test_the_packaged_model_tells_its_scenes() -> None:
    (packaged,) = lineage_of(PACKAGED)
    assert packaged.model == "landslide"
    sketched = [scene.name for scene in packaged.scenes if scene.sketch]
    assert len(sketched) == 28
    assert all("sichuan-Landslide" in name for name in sketched)
    assert "Gorkha 2015" in packaged.events


def test_samples_are_known_by_their_file_or_as_copies(
    profile: Profile, scenes: list[Path], tmp_path: Path
) -> None:
    renamed = tmp_path / "renamed.png"
    renamed.write_bytes(scenes[0].read_bytes())
    copy, other = copy_of(scenes[1], 112), scenes[2]
    near = Ancestor("near", described(profile, scenes[1]), [])
    far = Ancestor("far", described(profile, *scenes[:2]), [])
    shown = samples_of([renamed, copy, other])
    assert known_samples(profile, [near, far], shown) == [
        Known("renamed", "far", "a", "file"),
        Known("b-112", "near", "b", "copy"),
    ]


def test_without_sketches_files_are_known_still(profile: Profile, scenes: list[Path]) -> None:
    bare = [replace(scene, sketch="") for scene in described(profile, *scenes[:2])]
    shown = samples_of([scenes[0], copy_of(scenes[1], 112)])
    known = known_samples(profile, [Ancestor("m", bare, [])], shown)
    assert known == [Known("a", "m", "a", "file")]


def test_samples_of_the_group_of_a_known_one_are_known_with_it(
    profile: Profile, scenes: list[Path]
) -> None:
    model = Ancestor("m", described(profile, scenes[0]), [])
    known = known_samples(profile, [model], samples_of(scenes, ["g", "g", "c"]))
    assert known == [Known("a", "m", "a", "file"), Known("b", "m", "a", "group")]


def test_files_that_are_no_images_or_gone_tell_nothing(
    profile: Profile, scenes: list[Path], tmp_path: Path
) -> None:
    damaged = tmp_path / "damaged.png"
    damaged.write_bytes(b"nothing")
    model = Ancestor("m", described(profile, *scenes), [])
    assert known_samples(profile, [model], samples_of([damaged, tmp_path / "gone.png"])) == []


def test_tiles_are_learned_and_known_by_their_scenes(
    profile_with: Callable[..., Profile], write_scene: Callable[..., Any], tmp_path: Path
) -> None:
    for name, image in zip("ab", (draw_scene(3, i, 64, 64)[0] for i in range(2)), strict=True):
        write_scene(name, image=image)
    profile = profile_with("prepare.workers=1")
    prepare(profile)
    tiles = {path.stem: path for path in (profile.dataset / "tiles/images").glob("a_*")}
    assert len(tiles) > 1
    assert {scene for scene, _ in images_of_tiles(profile, tiles).values()} == {"a"}
    learned = learned_from(profile, tiles, {})
    assert [scene.name for scene in learned] == ["a"]
    shown = samples_of([*tiles.values(), *(profile.dataset / "tiles/images").glob("b_*")])
    known = known_samples(profile, [Ancestor("m", learned, [])], shown)
    assert {(found.sample, found.shows) for found in known} == {(tile, "a") for tile in tiles}
    # Of another tool's dataset the tiles themselves are all there is.
    (profile.dataset / "tiles" / "manifest.csv").unlink()
    assert {scene.name for scene in learned_from(profile, tiles, {})} == set(tiles)


def test_events_of_ancestors_are_events_that_the_model_has_seen(
    profile_with: Callable[..., Profile], scenes: list[Path]
) -> None:
    profile = profile_with("source.event=Gorkha 2015")
    lineage = [Ancestor("run", [], ["Here 2020"]), Ancestor("landslide", [], ["Gorkha 2015"])]
    sample = Sample("a", "a", scenes[0], None)
    assert learned_events(profile, lineage, Samples("scenes", [sample], grouped=True)) == []
    delivered = replace(sample, scene=Scene("a", scenes[0], None))
    shown = Samples("scenes", [delivered], grouped=True)
    assert learned_events(profile, lineage, shown) == ["Gorkha 2015"]
    assert learned_events(profile, lineage[:1], shown) == []
