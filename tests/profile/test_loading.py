"""Reading a profile: every mistake is answered with file, line, key and what is allowed."""

from pathlib import Path

import pytest

from landslide_cli.profile import Profile, load_profile
from tests.profile.cases import Write, message_of


@pytest.mark.parametrize("text", ["", "# nothing\n", "{}\n"])
def test_a_profile_that_says_nothing_has_every_default(write_profile: Write, text: str) -> None:
    assert load_profile(write_profile(text)) == Profile()


def test_values_of_the_file_replace_the_defaults(write_profile: Write) -> None:
    profile = load_profile(
        write_profile(
            "name: valley\nprepare: {resize: [640, 512], tile: 256}\n"
            "train:\n  learning_rate: 7e-5\n  clip_value: null\nsource: {synthetic: {}}\n"
        )
    )
    assert profile.prepare.resize == (640, 512)
    assert profile.prepare.tile == 256
    assert profile.train.learning_rate == 7e-5
    assert profile.train.clip_value is None
    assert profile.sources[0].synthetic is not None
    assert profile.dataset == Path("datasets/valley")


def test_words_of_yaml_1_1_are_words(write_profile: Write) -> None:
    assert load_profile(write_profile("name: no\n")).name == "no"


def test_a_missing_profile_is_named(tmp_path: Path) -> None:
    assert message_of(tmp_path / "none.yaml").startswith(f"{tmp_path / 'none.yaml'}: no such")


def test_a_folder_is_no_profile(tmp_path: Path) -> None:
    assert message_of(tmp_path).startswith(f"{tmp_path}: ")


def test_a_profile_that_is_not_text_is_named(tmp_path: Path) -> None:
    path = tmp_path / "profile.yaml"
    path.write_bytes(b"\x89PNG\r\n\x1a\n\xff\xfe")
    assert "not UTF-8" in message_of(path)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("name: [a\ntrain: {\n", 2),
        ("name: x\n\ttrain: 3\n", 2),
        ("name: x\nname2: *nowhere\n", 2),
        ("name: x\n---\nname: y\n", 2),
        ("name: x\ntrain: !!python/object/apply:os.getcwd []\n", 2),
    ],
)
def test_what_is_not_safe_yaml_is_refused_with_its_line(
    write_profile: Write, text: str, line: int
) -> None:
    path = write_profile(text)
    assert message_of(path).startswith(f"{path}:{line}: not valid YAML")


@pytest.mark.parametrize("text", ["- a\n- b\n", "just words\n", "3\n"])
def test_a_profile_must_be_a_mapping(write_profile: Write, text: str) -> None:
    path = write_profile(text)
    assert message_of(path) == f"{path}:1: a profile is a mapping of keys to values"


def test_a_value_that_contains_itself_is_refused(write_profile: Write) -> None:
    path = write_profile("name: x\nclasses: &a\n  - *a\n")
    assert message_of(path).startswith(f"{path}:")


def test_a_key_that_stands_twice_is_refused(write_profile: Write) -> None:
    path = write_profile("train:\n  epochs: 3\n  batch: 1\n  epochs: 4\n")
    assert message_of(path) == f"{path}:4: train.epochs is repeated, first on line 2"


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("train:\n  epohcs: 3\n", 2, "unknown key 'epohcs' in train; did you mean 'epochs'?"),
        ("name: x\nmodle: {}\n", 2, "unknown key 'modle' in a profile; did you mean 'model'?"),
        (
            "source:\n  synthetic:\n    sceens: 2\n",
            3,
            "unknown key 'sceens' in source.synthetic; did you mean 'scenes'?",
        ),
        (
            "prepare:\n  augment: {hflip: true,\n    vflipp: true}\n",
            3,
            "unknown key 'vflipp' in prepare.augment; did you mean 'vflip'?",
        ),
    ],
)
def test_an_unknown_key_is_answered_with_the_nearest_valid_one(
    write_profile: Write, text: str, line: int, says: str
) -> None:
    path = write_profile(text)
    assert message_of(path) == f"{path}:{line}: {says}"


def test_an_unknown_key_near_to_nothing_is_answered_with_all_valid_ones(
    write_profile: Write,
) -> None:
    path = write_profile("split:\n  kangaroo: 3\n")
    assert message_of(path) == (
        f"{path}:2: unknown key 'kangaroo' in split; "
        "there are train, valid, test, folds, fold_valid, by, groups, "
        "block, buffer, overlap, seed"
    )


def test_a_misspelt_key_that_is_required_is_answered_with_its_right_name(
    write_profile: Write,
) -> None:
    path = write_profile("classes:\n  - name: ground\n    color: [1, 2, 3]\n")
    message = message_of(path)
    assert message.startswith(f"{path}:3: unknown key 'color' in classes.0")
    assert "did you mean 'colour'?" in message


def test_a_missing_key_is_named_with_the_line_of_what_lacks_it(write_profile: Write) -> None:
    path = write_profile("classes:\n  - {name: ground, colour: [0, 0, 0]}\n  - {name: slide}\n")
    assert message_of(path) == f"{path}:3: classes.1.colour is missing"


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("train:\n  epochs: many\n", 2, 'train.epochs is "many"; it should be a whole number'),
        ("train:\n  epochs: 3.5\n", 2, "train.epochs is 3.5; it should be a whole number"),
        ("train:\n  epochs: true\n", 2, "train.epochs is true; it should be a whole number"),
        ("train:\n  epochs: '3'\n", 2, 'train.epochs is "3"; it should be a whole number'),
        ("model:\n  normalization: 1\n", 2, "it should be true or false"),
        ("model:\n  normalization: yes\n", 2, "it should be true or false"),
        ("model:\n  dropout_rate: much\n", 2, 'is "much"; it should be a number'),
        ("name: 3\n", 1, "name is 3; it should be text"),
        ("dataset: [a]\n", 1, "dataset is "),
        ("name: x\ntrain: 3\n", 2, "train is 3; it should be a mapping of keys to values"),
        ("name: x\ntrain:\n", 2, "train is null; it should be a mapping of keys to values"),
        ("classes: {a: b}\n", 1, "it should be a list"),
        ("prepare:\n  resize: 1024\n", 2, "prepare.resize is 1024; it should be a list"),
    ],
)
def test_a_wrong_type_is_answered_with_the_right_one(
    write_profile: Write, text: str, line: int, says: str
) -> None:
    path = write_profile(text)
    message = message_of(path)
    assert message.startswith(f"{path}:{line}: ")
    assert says in message


@pytest.mark.parametrize(
    ("text", "line", "key", "allowed"),
    [
        ("train:\n  epochs: 0\n", 2, "train.epochs is 0", "greater than or equal to 1"),
        ("prepare:\n\n  tile: 9000\n", 3, "prepare.tile is 9000", "less than or equal to 8192"),
        ("train: {learning_rate: 0.0}\n", 1, "train.learning_rate is 0.0", "greater than 0"),
        ("train: {learning_rate: 1e999}\n", 1, "train.learning_rate", "number"),
        ("train: {loss: l2}\n", 1, 'train.loss is "l2"', "'tversky'"),
        ("classes: []\n", 1, "classes is []", "a list that is not empty"),
        (
            "classes:\n  - {name: a, colour: [0, 0, 0]}\n  - name: b\n    colour: [0, 256, 0]\n",
            4,
            "classes.1.colour.1 is 256",
            "less than or equal to 255",
        ),
        ("prepare: {augment: {distortions: [0.1, 0.5]}}\n", 1, "distortions.1 is 0.5", "0.2"),
        ("name: ../elsewhere\n", 1, "name is", "letters of English, digits"),
        ("infer: {gsd: 0}\n", 1, "infer.gsd is 0;", "greater than 0 or 'model'"),
        ("infer: {gsd: scene}\n", 1, 'infer.gsd is "scene";', "a number or 'model'"),
        ("infer: {tile: 5}\n", 1, "infer.tile is 5;", "equal to 16 or 'auto' or 'whole'"),
        ("infer: {tile: all}\n", 1, 'infer.tile is "all";', "whole number or 'auto' or 'whole'"),
    ],
)
def test_a_value_out_of_range_is_answered_with_what_is_allowed(
    write_profile: Write, text: str, line: int, key: str, allowed: str
) -> None:
    path = write_profile(text)
    message = message_of(path)
    assert message.startswith(f"{path}:{line}: ")
    assert key in message
    assert allowed in message


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        (
            "classes:\n  - {name: a, colour: [1, 2, 3]}\n  - name: b\n    colour: [1, 2, 3]\n",
            4,
            "classes.1.colour 'b' has the colour of 'a'",
        ),
        (
            "classes:\n  - {name: a, colour: [1, 2, 3]}\n  - {name: a, colour: [3, 2, 1]}\n",
            3,
            "classes.1.name two classes are called 'a'",
        ),
        ("classes:\n  - {name: slide, colour: [0, 0, 0]}\n", 2, "the colour of 'background'"),
        ("classes:\n  - {name: loss, colour: [9, 0, 0]}\n", 2, "'loss' is a key of"),
        (
            "prepare:\n  tile: 500\n",
            2,
            "prepare.tile must be a multiple of 128 for a model of 8 layers, not 500; "
            "take 384 or 512",
        ),
        ("prepare: {tile: 64}\n", 1, "prepare.tile must be a multiple of 128"),
        ("name: x\ninfer:\n  tile: 500\n", 3, "infer.tile must be a multiple of 128"),
        (
            "infer:\n  tile: 512\n  overlap: 512\n",
            3,
            "infer.overlap must be below the window's side, 512",
        ),
        (
            "infer:\n  scale: 0.5\n  gsd: 2.0\n",
            3,
            "infer.gsd does not go with infer.scale; keep one of the two",
        ),
        (
            "infer:\n  nodata: maybe\n",
            2,
            "infer.nodata is \"maybe\"; it should be a number or 'none' or 'auto'",
        ),
        ("infer:\n  nodata: [1]\n", 2, "infer.nodata is [1]; it should be a number or"),
        ("infer:\n  tile: maybe\n", 2, 'infer.tile is "maybe"; it should be'),
        ("name: x\ninfer:\n  tile: 128\n", 2, "infer.overlap must be below the window's side, 128"),
        ("split:\n  train: 0.5\n", 2, "train, valid and test must add up to 1, not 0.8"),
        ("name: x\nsplit:\n  valid: 0.5\n", 3, "train, valid and test must add up to 1"),
        ("prepare:\n  resize: [9, 9]\n  scale: 0.5\n", 3, "does not go with prepare.resize"),
        ("source:\n  images: a\n  synthetic: {}\n", 3, "goes with neither source.images nor"),
        ("source:\n  value_range: [3, 3]\n", 2, "the first value must be below the second"),
        ("model:\n  dropout_rate: 0.2\n", 2, "times the deepest level's index, 7, must stay"),
    ],
)
def test_keys_that_contradict_each_other_are_refused_at_the_one_to_change(
    write_profile: Write, text: str, line: int, says: str
) -> None:
    path = write_profile(text)
    message = message_of(path)
    assert message.startswith(f"{path}:{line}: ")
    assert says in message


def test_several_mistakes_are_all_named(write_profile: Write) -> None:
    path = write_profile("train:\n  epochs: 0\n  batch: 0\nbands: none\n")
    first, second = message_of(path).splitlines()
    assert first.startswith(f"{path}:")
    for key in ("train.epochs", "train.batch", "bands"):
        assert key in first + second


def test_a_long_value_is_shortened_in_the_message(write_profile: Write) -> None:
    assert len(message_of(write_profile(f"train:\n  epochs: {'x' * 5000}\n"))) < 500


def test_an_override_replaces_the_files_value(write_profile: Write) -> None:
    path = write_profile("train: {epochs: 7, batch: 3}\n")
    profile = load_profile(path, ["train.epochs=9", "name=other", "train.epochs=11"])
    assert (profile.train.epochs, profile.train.batch, profile.name) == (11, 3, "other")
