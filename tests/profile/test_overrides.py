"""Overrides of keys, and profiles written back."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from landslide_cli.errors import ProfileError
from landslide_cli.profile import Profile, dump_profile, load_profile
from landslide_cli.profile.networks import UNetSettings
from tests.profile.cases import Write, message_of


@pytest.mark.parametrize(
    ("override", "value"),
    [
        ("train.learning_rate=2e-3", 2e-3),
        ("train.clip_value=null", None),
        ("train.metrics=[dice]", ["dice"]),
        ("train.preview_scenes=['no', \"a=b\"]", ["no", "a=b"]),
        (" train.cache =none", "none"),
    ],
)
def test_an_overrides_value_is_yaml(write_profile: Write, override: str, value: object) -> None:
    profile = load_profile(write_profile(""), [override])
    key = override.partition("=")[0].strip().removeprefix("train.")
    assert getattr(profile.train, key) == value


def test_an_override_reaches_into_sections_that_the_file_does_not_have(
    write_profile: Write,
) -> None:
    profile = load_profile(
        write_profile("train:\n"), ["train.epochs=2", "prepare.augment.hflip=true"]
    )
    assert profile.train.epochs == 2
    assert profile.prepare.augment.hflip


def test_an_override_turns_on_an_optional_section(write_profile: Write) -> None:
    profile = load_profile(write_profile(""), ["source.synthetic.scenes=5"])
    assert profile.sources[0].synthetic is not None
    assert profile.sources[0].synthetic.scenes == 5


def test_an_override_reaches_into_the_default_classes(write_profile: Write) -> None:
    profile = load_profile(write_profile(""), ["classes.1.colour=[1, 2, 3]"])
    assert [entry.colour for entry in profile.classes] == [(0, 0, 0), (1, 2, 3)]
    assert profile.classes[1].name == "landslide"


def test_an_override_mends_a_wrong_value_of_the_file(write_profile: Write) -> None:
    path = write_profile("train: {epochs: 0}\n")
    assert load_profile(path, ["train.epochs=1"]).train.epochs == 1
    assert load_profile(path, ["train={epochs: 2}"]).train.epochs == 2


def test_another_architecture_takes_the_place_of_the_model(write_profile: Write) -> None:
    path = write_profile("model: {architecture: flexunet, base_filters: 4}\n")
    overrides = ["model.decoder_dropout=0.2", "model.architecture=unet"]
    model = load_profile(path, overrides).model
    assert model == UNetSettings(architecture="unet", decoder_dropout=0.2)
    kept = load_profile(path, ["model.architecture=flexunet"]).model
    assert kept == load_profile(path).model


def test_an_unknown_architecture_is_all_that_is_wrong(write_profile: Write) -> None:
    path = write_profile("model: {base_filters: 4}\n")
    message = message_of(path, "model.architecture=unett")
    assert "--set model.architecture=unett" in message
    assert "it should be flexunet or unet" in message
    assert "also wrong" not in message


@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("train.epochs=0", "train.epochs is 0; it should be greater than or equal to 1"),
        ("train.epohcs=3", "unknown key 'epohcs' in train; did you mean 'epochs'?"),
        ("trian.epochs=3", "unknown key 'trian' in a profile; did you mean 'train'?"),
        ("train={epochs: 0}", "train.epochs is 0"),
        ("train.epochs.more=3", "train.epochs is "),
        ("prepare.tile=500", "prepare.tile must be a multiple of 128"),
        ("train.epochs", "write it as key=value"),
        ("=3", "write it as key=value"),
        ("train..epochs=3", "write it as key=value"),
        ("train.epochs=[3", "the value is not valid YAML"),
        ("classes.2.name=bog", "there is no classes.2"),
        ("classes.first.name=bog", "there is no classes.first"),
    ],
)
def test_a_wrong_override_is_named_as_it_was_typed(
    write_profile: Write, override: str, says: str
) -> None:
    path = write_profile("train:\n  batch: 2\n")
    message = message_of(path, override)
    assert message.startswith(f"--set {override}: ")
    assert says in message


def test_a_files_mistake_keeps_its_line_beside_overrides(write_profile: Write) -> None:
    path = write_profile("train:\n  batch: 0\n")
    assert message_of(path, "train.epochs=3").startswith(f"{path}:2: train.batch is 0")


NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,12}", fullmatch=True)
# No file's name contains a NUL.
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)


@given(name=NAMES, scenes=st.lists(TEXT, max_size=3), rate=st.floats(1e-12, 10.0))
@example(name="no", scenes=["null", "~", ""], rate=7e-5)
@example(name="007", scenes=["1:30", "2020-01-01"], rate=1e-7)
@example(name="1e5", scenes=["12e3", "0o17"], rate=1.0)
def test_a_dumped_profile_loads_as_the_same_profile(
    tmp_path_factory: pytest.TempPathFactory, name: str, scenes: list[str], rate: float
) -> None:
    profile = Profile.model_validate(
        {"name": name, "train": {"preview_scenes": scenes, "learning_rate": rate}}
    )
    path = tmp_path_factory.mktemp("dumped") / "profile.yaml"
    path.write_text(dump_profile(profile), encoding="utf-8")
    assert load_profile(path) == profile


@given(
    test=st.lists(TEXT.filter(bool), min_size=1, max_size=3, unique=True),
    sizes=st.sets(st.floats(1e-6, 1e12), max_size=4),
)
@example(test=["007", "1e5", "null", "true", "0.3"], sizes={1000.0, 1e4})
def test_scenes_by_name_and_size_classes_are_dumped_as_they_are(
    tmp_path_factory: pytest.TempPathFactory, test: list[str], sizes: set[float]
) -> None:
    profile = Profile.model_validate(
        {"split": {"test": test}, "evaluate": {"object_sizes": sorted(sizes)}}
    )
    path = tmp_path_factory.mktemp("dumped") / "profile.yaml"
    path.write_text(dump_profile(profile), encoding="utf-8")
    assert load_profile(path) == profile


def test_a_dump_holds_every_key(write_profile: Write) -> None:
    text = dump_profile(Profile())
    for key in ("base_kernels", "value_range", "dataset", "nearest_colour", "stop_patience"):
        assert f"{key}: " in text


def test_control_characters_are_an_error_not_a_traceback(write_profile: Write) -> None:
    with pytest.raises(ProfileError, match="not valid YAML"):
        load_profile(write_profile('name: "a\x01"\n'))
    with pytest.raises(ProfileError, match="not valid YAML"):
        load_profile(write_profile("name: a\n"), ["name=\x01"])


def test_tags_that_would_run_code_are_refused(write_profile: Write) -> None:
    with pytest.raises(ProfileError, match="not valid YAML"):
        load_profile(write_profile("name: !!python/object/apply:os.getcwd []\n"))


def test_the_split_is_read_from_the_file(write_profile: Write) -> None:
    profile = load_profile(
        write_profile(
            "split:\n  train: 0.8\n  valid: 0.2\n  test: [north-1, '7']\n  by: scene\n"
            "  groups: ^(\\w+)-\n"
        )
    )
    assert (profile.split.train, profile.split.valid) == (0.8, 0.2)
    assert profile.split.test == ["north-1", "7"]
    assert profile.split.by == "scene"
    assert profile.split.pattern is not None
    assert profile.split.pattern.pattern == "^(\\w+)-"


def test_folds_are_set_on_the_command_line(write_profile: Write) -> None:
    profile = load_profile(write_profile("run: here\n"), ["split.folds=5", "fold=2"])
    assert (profile.split.folds, profile.fold) == (5, 2)
    assert profile.run_folder == Path("here/fold-2")


def test_names_replace_a_share_and_a_share_names(write_profile: Write) -> None:
    path = write_profile("split: {train: 0.5, valid: 0.5, test: [a]}\n")
    assert load_profile(path).split.test == ["a"]
    assert load_profile(path, ["split.test=[b, c]"]).split.test == ["b", "c"]
    assert load_profile(path, ["split.test=0.0"]).split.test == 0.0


@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("split.test=abc", 'split.test is "abc"; it should be a number or a list'),
        ("split.test='0.2'", 'split.test is "0.2"; it should be a number or a list'),
        ("split.test=null", "split.test is null; it should be a number or a list"),
        ("split.test=true", "split.test is true; it should be a number or a list"),
        ("split.test={a: 1}", 'split.test is {"a": 1}; it should be a number or a list'),
        ("split.test=2", "split.test is 2; it should be less than or equal to 1 or a list"),
        ("split.valid=-0.5", "split.valid is -0.5; it should be greater than or equal to 0 or a"),
        ("split.train=[]", "split.train is []"),
        ("split.test=[a, b, a]", "split.test names the scene 'a' twice"),
        ("split.test=0.5", "train, valid and test must add up to 1, not 1.35"),
        ("split.folds=2", "split.folds is 2; it should be greater than or equal to 3"),
        ("split.folds=many", 'split.folds is "many"; it should be a whole number'),
        ("split.by=pixel", "split.by is \"pixel\"; it should be 'group', 'scene' or 'tile'"),
        ("split.groups=(", "split.groups is no regular expression: "),
        ("split.groups=site", "split.groups has no parenthesis around the group's name"),
        ("split.groups=[a]", 'split.groups is ["a"]; it should be text'),
        ("split.overlap=false", "split.overlap is false; it should be a mapping"),
        ("split.overlap.footprint=0", "split.overlap.footprint is 0; it should be greater than 0"),
        ("split.overlap.content=1", "split.overlap.content is 1; it should be true or false"),
        ("split.fold=2", "unknown key 'fold' in split; did you mean 'folds'?"),
        ("fold=2", "fold needs split.folds"),
        ("fold=0", "fold is 0; it should be greater than or equal to 1"),
        ("fold=two", 'fold is "two"; it should be a whole number'),
        ("evaluate.object_sizes=[3, 2]", "evaluate.object_sizes must ascend"),
        ("evaluate.object_sizes=100", "evaluate.object_sizes is 100; it should be a list"),
        ("evaluate.object_sizes=[0, 2]", "evaluate.object_sizes.0 is 0; it should be greater"),
    ],
)
def test_a_wrong_key_of_the_split_is_named_as_it_was_typed(
    write_profile: Write, override: str, says: str
) -> None:
    message = message_of(write_profile("name: x\n"), override)
    assert message.startswith(f"--set {override}: ")
    assert says in message
    assert len(message.splitlines()) == 1


@pytest.mark.parametrize(
    ("overrides", "says"),
    [
        (["split.folds=5", "fold=6"], "--set fold=6: fold must be 1 to 5"),
        (["split.test=[a]", "split.folds=5"], "--set split.folds=5: split.folds does not go with"),
        (["split.by=tile", "split.test=[a]"], "--set split.by=tile: split.by 'tile' does not go"),
        (["split.valid=[a]", "split.test=[a]"], "--set split.test=[a]: split.test names the scene"),
    ],
)
def test_keys_of_the_split_that_do_not_go_together_are_named(
    write_profile: Write, overrides: list[str], says: str
) -> None:
    assert message_of(write_profile("name: x\n"), *overrides).startswith(says)


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("split:\n  test: [a]\n  valid: 2\n", 3, "split.valid is 2; it should be less than"),
        ("split:\n  folds: 1\n", 2, "split.folds is 1; it should be greater than or equal to 3"),
        ("name: x\nfold: 1\n", 2, "fold needs split.folds"),
        ("split:\n  folds: 4\nfold: 5\n", 3, "fold must be 1 to 4"),
        ("evaluate:\n  object_sizes:\n    - 2\n    - 1\n", 2, "evaluate.object_sizes must ascend"),
    ],
)
def test_a_wrong_key_of_the_split_is_named_with_its_line(
    write_profile: Write, text: str, line: int, says: str
) -> None:
    path = write_profile(text)
    assert message_of(path).startswith(f"{path}:{line}: {says}")


@pytest.mark.parametrize(
    ("text", "item", "allowed"),
    [("[a, 3]", "split.test.1 is 3", "text"), ("[1e5]", "split.test.0 is 100000.0", "text")],
)
def test_a_wrong_name_in_a_list_is_named_by_itself(
    write_profile: Write, text: str, item: str, allowed: str
) -> None:
    """A list is right there: the message must not ask for a number instead."""
    message = message_of(write_profile("name: x\n"), f"split.test={text}")
    assert item in message
    assert allowed in message


def test_shares_that_do_not_add_up_are_found_at_one_of_them(write_profile: Write) -> None:
    message = message_of(write_profile("name: x\n"), "split.seed=5", "split.test=0.9")
    assert message.startswith("--set split.test=0.9: ")


@pytest.mark.parametrize(
    ("model", "says"),
    [
        ("{architecture: vnet}", 'model.architecture is "vnet"; it should be flexunet or unet or'),
        ("{architecture: unet, base_filters: 3}", "unknown key 'base_filters' in model"),
        ("{encoder: resnet50v2}", "unknown key 'encoder' in model"),
        ("{architecture: unet, encode: x}", "unknown key 'encode' in model; did you mean"),
        ("{architecture: unet, decoder: [0]}", "model.decoder.0 is 0"),
        (
            "{architecture: unet, encoder: resnet50v2, drop_path: 0.1}",
            "is not there for resnet50v2",
        ),
        ("3", "model is 3; it should be a mapping of keys to values"),
    ],
)
def test_the_keys_of_the_model_are_those_of_its_architecture(
    model: str, says: str, write_profile: Write
) -> None:
    message = message_of(write_profile(f"name: x\nmodel: {model}\n"))
    assert ":2: " in message
    assert says in message


def test_a_key_that_was_removed_is_ignored(write_profile: Callable[[str], Path]) -> None:
    augment = "hflip: {probability: 0.5}, recolour: {range: [90, 245], probability: 0.5}"
    profile = load_profile(write_profile(f"name: old\ntrain: {{augment: {{{augment}}}}}\n"))
    assert list(profile.train.augment.switched_on()) == ["hflip"]
