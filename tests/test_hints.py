"""What messages tell to type after common mistakes."""

from pathlib import Path

import pytest

from landslide_cli.errors import UsageError
from landslide_cli.hints import (
    IMAGES,
    of_missing_profile,
    refuse_what_is_no_profile,
    with_profile,
)
from landslide_cli.imagery.raster.recognition import SUFFIXES


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("message", "typed"),
    [
        ("no tiles; run `landslide prepare` first", "run `landslide prepare p.yaml` first"),
        ("run `landslide prepare` first, then `landslide split`", "then `landslide split p.yaml`"),
        (
            "run.json: damaged;\n`landslide train --overwrite` makes it again",
            "`landslide train p.yaml --overwrite` makes it again",
        ),
        (
            "run `landslide infer-tiled SCENE.tif`",
            "run `landslide infer-tiled p.yaml SCENE.tif`",
        ),
        ("the folder that `landslide train` wrote", "the folder that `landslide train` wrote"),
    ],
)
def test_commands_to_run_are_completed_by_the_profile(message: str, typed: str) -> None:
    assert with_profile(message, Path("p.yaml"), []).endswith(typed)


def test_overrides_belong_to_the_command() -> None:
    typed = with_profile("run `landslide split` first", Path("my p.yaml"), ["run=my run"])
    assert typed == "run `landslide split 'my p.yaml' --set 'run=my run'` first"


def refusal(path: str, command: str, *scenes: str) -> str:
    with pytest.raises(UsageError) as caught:
        refuse_what_is_no_profile(Path(path), command, scenes, [])
    (line,) = str(caught.value).splitlines()
    return line


def test_a_scene_in_the_place_of_the_profile_is_mapped_by_the_packaged_one() -> None:
    line = refusal("a b.tif", "infer-tiled", "c.tif")
    assert line.endswith("type: landslide infer-tiled landslide 'a b.tif' c.tif")
    many = refusal("a.tif", "infer-tiled", *"bcdef")
    assert many.endswith("landslide a.tif b c ...")


def test_all_images_are_known() -> None:
    assert IMAGES == SUFFIXES


def test_an_image_for_another_command_begins_a_profile() -> None:
    assert "landslide prepare my.yaml --init a.tif MASKS" in refusal("a.tif", "train")


def test_a_run_has_its_profile() -> None:
    Path("run").mkdir()
    Path("run/profile.yaml").touch()
    Path("run/other.yaml").touch()
    assert refusal("run", "evaluate").endswith("type: landslide evaluate run/profile.yaml")


def test_a_folder_of_profiles_and_one_of_scenes_are_told_apart() -> None:
    Path("configs").mkdir()
    Path("configs/a.yaml").touch()
    assert refusal("configs", "train").endswith("type: landslide train configs/a.yaml")
    Path("configs/b.yml").touch()
    assert refusal("configs", "train").endswith("with one of configs/a.yaml, configs/b.yml")
    Path("scenes").mkdir()
    typed = "type: landslide infer-tiled landslide scenes"
    assert refusal("scenes", "infer-tiled").endswith(typed)
    assert "--init scenes MASKS" in refusal("scenes", "prepare")


def test_what_may_be_a_profile_is_left_to_its_reader() -> None:
    refuse_what_is_no_profile(Path("nowhere.yaml"), "train", [], [])
    Path("landslide").mkdir()
    refuse_what_is_no_profile(Path("landslide"), "train", [], [])


def test_a_profile_that_is_not_named_is_looked_for() -> None:
    assert "landslide infer-tiled landslide SCENE.tif" in of_missing_profile("infer-tiled")
    assert "landslide prepare my.yaml --init" in of_missing_profile("train")
    Path("a.yaml").touch()
    assert of_missing_profile("train").endswith("type: landslide train a.yaml")
    Path("b.yaml").touch()
    assert of_missing_profile("train").endswith("such as a.yaml, b.yaml")
