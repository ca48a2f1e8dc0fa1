"""`extends`: what a profile takes from another one, and where mistakes are said to be."""

from collections.abc import Callable
from pathlib import Path

import pytest

from landslide_cli.profile import dump_profile, load_profile
from landslide_cli.profile.extending import PACKAGED_PROFILE
from landslide_cli.profile.networks import FlexUNetSettings, SegFormerSettings, UNetSettings
from tests.profile.cases import message_of

Write = Callable[..., Path]

SOURCE = "source: {images: i, masks: m}\n"


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def written(name: str, text: str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    return written


def test_sections_are_merged_key_by_key(write: Write) -> None:
    write(
        "base.yaml", "name: base\ntrain: {epochs: 7, batch: 2, augment: {hflip: {probability: 1}}}"
    )
    path = write(
        "own.yaml", "extends: base.yaml\ntrain: {batch: 4, augment: {vflip: {probability: 1}}}"
    )
    profile = load_profile(path)
    assert (profile.name, profile.train.epochs, profile.train.batch) == ("base", 7, 4)
    assert profile.train.augment.hflip.probability == profile.train.augment.vflip.probability == 1.0


def test_the_source_and_lists_are_replaced(write: Write) -> None:
    write(
        "base.yaml",
        "source: {images: i, masks: m, gsd: 0.5}\n"
        "classes: [{name: background, colour: [0, 0, 0]}, {name: a, colour: [1, 0, 0]}, "
        "{name: b, colour: [2, 0, 0]}]\n",
    )
    path = write(
        "own.yaml",
        "extends: base.yaml\nsource: {images: other, labels: {files: a.gpkg}}\n"
        "classes: [{name: background, colour: [0, 0, 0]}, {name: c, colour: [3, 0, 0]}]\n",
    )
    (source,) = load_profile(path).sources
    assert (source.images, source.masks, source.gsd) == ("other", None, None)
    assert load_profile(path).palette.names == ("background", "c")


UNET = "model: {architecture: unet, encoder: efficientnet_lite2, weights: landslide}\n"


def test_a_model_of_another_architecture_is_replaced(write: Write) -> None:
    write("base.yaml", UNET)
    path = write("own.yaml", "extends: base.yaml\nmodel: {architecture: segformer}\n")
    assert load_profile(path).model == SegFormerSettings(architecture="segformer")
    path = write("own.yaml", "extends: base.yaml\nmodel: {architecture: segformer, encoder: a}\n")
    assert "own.yaml:2: unknown key 'encoder' in model" in message_of(path)


@pytest.mark.parametrize("named", ["", "architecture: unet, "])
def test_a_model_of_the_same_architecture_is_merged(write: Write, named: str) -> None:
    write("base.yaml", UNET)
    path = write("own.yaml", f"extends: base.yaml\nmodel: {{{named}drop_path: 0.1}}\n")
    model = load_profile(path).model
    assert isinstance(model, UNetSettings)
    assert (model.encoder, model.drop_path) == ("efficientnet_lite2", 0.1)


def test_a_model_without_an_architecture_is_a_flexunet(write: Write) -> None:
    write("base.yaml", "model: {base_filters: 4}\n")
    path = write("own.yaml", "extends: base.yaml\nmodel: {architecture: flexunet, num_layers: 2}\n")
    model = load_profile(path).model
    assert isinstance(model, FlexUNetSettings)
    assert (model.base_filters, model.num_layers) == (4, 2)
    path = write("own.yaml", "extends: base.yaml\nmodel: {architecture: unet}\n")
    assert load_profile(path).model == UNetSettings(architecture="unet")


def test_a_profile_is_found_beside_the_one_that_extends_it(write: Write) -> None:
    write("profiles/base.yaml", "name: base\n")
    assert load_profile(write("profiles/own.yaml", "extends: base.yaml\n")).name == "base"


def test_profiles_extend_each_other_in_a_row(write: Write) -> None:
    write("a.yaml", "name: a\ntrain: {epochs: 3, batch: 2}\n")
    write("b.yaml", "extends: a.yaml\nname: b\ntrain: {epochs: 5}\n")
    profile = load_profile(write("c.yaml", "extends: b.yaml\ntrain: {batch: 6}\n"))
    assert (profile.name, profile.train.epochs, profile.train.batch) == ("b", 5, 6)


@pytest.mark.parametrize("own", ["extends: landslide\n", ""])
def test_a_profile_of_own_scenes_alone_is_the_packaged_one_with_these(
    write: Write, own: str
) -> None:
    profile = load_profile(write("own.yaml", f"{own}name: own\n{SOURCE}"))
    packaged = load_profile(PACKAGED_PROFILE)
    assert profile.model == packaged.model
    assert profile.train == packaged.train
    assert (profile.run, profile.sources[0].images) == (Path("runs/own"), "i")


def test_any_other_key_keeps_a_profile_to_itself(write: Write) -> None:
    profile = load_profile(write("own.yaml", f"{SOURCE}train: {{epochs: 3}}\n"))
    assert profile.model.architecture == "flexunet"


def test_the_packaged_profile_is_found_where_a_folder_has_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "landslide").mkdir()
    monkeypatch.chdir(tmp_path)
    assert load_profile(Path("landslide")) == load_profile(PACKAGED_PROFILE)


def test_a_profile_is_stored_whole(write: Write, tmp_path: Path) -> None:
    profile = load_profile(write("own.yaml", f"name: own\n{SOURCE}"))
    text = dump_profile(profile)
    assert "extends: null" in text
    assert load_profile(write("stored.yaml", text)) == profile


def test_mistakes_are_said_to_be_where_they_stand(write: Write) -> None:
    base = write("base.yaml", "name: base\ntrain:\n  epochs: 3\n")
    own = write("own.yaml", "extends: base.yaml\ntrain:\n  batch: 0\n")
    assert message_of(own).startswith(f"{own}:3: train.batch is 0")
    base.write_text("name: base\ntrain:\n  epochs: none\n")
    own.write_text("extends: base.yaml\ntrain:\n  batch: 1\n")
    assert message_of(own).startswith(f"{base}:3: train.epochs")


def test_circles_and_missing_profiles_are_refused(write: Write, tmp_path: Path) -> None:
    own = write("a.yaml", "extends: b.yaml\n")
    write("b.yaml", "extends: a.yaml\n")
    assert "profiles extend each other" in message_of(own)
    own.write_text("extends: a.yaml\n")
    assert "profiles extend each other" in message_of(own)
    own.write_text("extends: none.yaml\n")
    assert message_of(own).startswith(f"{tmp_path}/none.yaml: no such profile")
    own.write_text("extends: [1]\n")
    assert message_of(own) == f"{own}:1: extends should be the name of a profile"
    own.write_text("name: a\n")
    assert "can only be set in the profile" in message_of(own, "extends=landslide")
