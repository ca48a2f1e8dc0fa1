"""The tree of settings: defaults, and what follows from them."""

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from landslide_cli.core.parts import PARTS
from landslide_cli.profile import (
    ClassSettings,
    EvaluateSettings,
    FlexUNetSettings,
    InferSettings,
    PrepareSettings,
    Profile,
    SourceSettings,
    SplitSettings,
    TrainSettings,
)


@pytest.mark.parametrize(
    ("section", "expected"),
    [
        (
            "model",
            {
                "architecture": "flexunet",
                "base_filters": 16,
                "base_kernels": 11,
                "num_layers": 8,
                "dropout_rate": 0.05,
                "dilation": (1, 1),
                "normalization": False,
                "input_scaling": True,
            },
        ),
        (
            "train",
            {
                "epochs": 100,
                "batch": 2,
                "optimizer": "adam",
                "learning_rate": 7e-5,
                "clip_value": 0.5,
                "loss": "categorical_crossentropy",
                "reduce_factor": 0.5,
                "reduce_patience": 4,
                "stop_patience": 10,
            },
        ),
        ("prepare", {"tile": 512}),
        ("infer", {"overlap": 128}),
    ],
)
def test_defaults_are_those_of_the_experiment(section: str, expected: dict[str, Any]) -> None:
    settings = getattr(Profile(), section)
    assert {key: getattr(settings, key) for key in expected} == expected


def test_a_profile_never_changes() -> None:
    profile = Profile()
    with pytest.raises(ValidationError, match="frozen"):
        profile.name = "other"  # type: ignore[misc]
    with pytest.raises(ValidationError, match="frozen"):
        profile.train.epochs = 3  # type: ignore[misc]


def test_default_folders_follow_the_name() -> None:
    profile = Profile(name="valley")
    assert (profile.dataset, profile.run) == (Path("datasets/valley"), Path("runs/valley"))
    assert Profile(name="valley", run=Path("here")).run == Path("here")


def test_a_single_class_stands_on_an_implicit_background() -> None:
    slide = ClassSettings(name="slide", colour=(255, 0, 0))
    names = [entry.name for entry in Profile(classes=[slide]).palette_classes]
    assert names == ["background", "slide"]
    assert [entry.name for entry in Profile().palette_classes] == ["background", "landslide"]


FOUR = [
    ClassSettings(name=name, colour=(index, 0, 0))
    for index, name in enumerate(["background", "buildings", "roads", "water"])
]


@pytest.mark.parametrize(
    ("foreground", "chosen"),
    [(None, ()), (["roads", "buildings"], (1, 2)), (["water", "roads", "buildings"], ())],
)
def test_the_foreground_is_chosen_by_names(
    foreground: list[str] | None, chosen: tuple[int, ...]
) -> None:
    profile = Profile(classes=FOUR, foreground=foreground)
    assert profile.palette.chosen == chosen
    assert ("foreground" in profile.settings("classes")) == (foreground is not None)


@pytest.mark.parametrize(
    ("foreground", "says"),
    [
        (["trees"], "there is no class 'trees'"),
        (["background"], "'background' is the first class"),
        (["roads", "roads"], "'roads' is named twice"),
        ([], "at least 1 item"),
    ],
)
def test_a_foreground_of_other_names_is_refused(foreground: list[str], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        Profile(classes=FOUR, foreground=foreground)


def test_a_background_that_is_ignored_has_no_output() -> None:
    first = FOUR[0].model_copy(update={"ignore": True})
    profile = Profile(classes=[first, *FOUR[1:]])
    assert (profile.model_outputs, profile.palette.ignores_background) == (3, True)
    recorded = profile.settings("classes")["classes"]
    assert [entry.get("ignore") for entry in recorded] == [True, None, None, None]
    with pytest.raises(ValidationError, match="leaves a single class"):
        Profile(classes=[first, FOUR[1]])
    with pytest.raises(ValidationError, match="is for the first of several classes alone"):
        Profile(classes=[FOUR[0], FOUR[1].model_copy(update={"ignore": True})])
    with pytest.raises(ValidationError, match="'none' is all background"):
        Profile(classes=[first, *FOUR[1:]], source=SourceSettings(images="a", masks="none"))


def test_records_of_two_classes_are_as_before_there_was_a_choice() -> None:
    assert Profile().settings("classes") == {
        "classes": [
            {"name": "background", "colour": [0, 0, 0]},
            {"name": "landslide", "colour": [255, 0, 255]},
        ]
    }


@pytest.mark.parametrize(
    ("classes", "watch", "means"),
    [
        (2, "valid_loss", []),
        (2, "valid_mean_iou", ["mean_iou"]),
        (3, "valid_loss", ["mean_dice", "mean_iou"]),
    ],
)
def test_means_are_logged_of_several_classes_or_where_they_are_watched(
    classes: int, watch: str, means: list[str]
) -> None:
    settings = TrainSettings.model_validate({"watch": watch})
    assert settings.logged(classes) == ["dice", "iou", "dice_coef_multiclass", *means]


def test_a_single_class_called_background_is_refused() -> None:
    with pytest.raises(ValidationError, match="two classes are called 'background'"):
        Profile(classes=[ClassSettings(name="background", colour=(255, 0, 0))])


@pytest.mark.parametrize(("layers", "multiple"), [(2, 2), (5, 16), (8, 128)])
def test_a_model_takes_multiples_of_its_pooling(layers: int, multiple: int) -> None:
    assert FlexUNetSettings(num_layers=layers).multiple == multiple


@pytest.mark.parametrize(("tile", "fits"), [(16, True), (48, True), (24, False)])
def test_tiles_are_multiples_of_the_models_pooling(tile: int, fits: bool) -> None:
    sections = {
        "prepare": PrepareSettings(tile=tile),
        "model": FlexUNetSettings(num_layers=5),
        "infer": InferSettings(overlap=0),
    }
    if fits:
        assert Profile.model_validate(sections).prepare.tile == tile
    else:
        with pytest.raises(ValidationError, match="multiple of 16"):
            Profile.model_validate(sections)


def test_crops_are_multiples_of_the_models_pooling_too() -> None:
    assert profile_of({"train": {"crop": 48}}).tile_side == 48
    with pytest.raises(ValidationError, match="multiple of 16 for a model of 5 layers, not 40"):
        profile_of({"train": {"crop": 40}})


def profile_of(sections: dict[str, Any]) -> Profile:
    known = {"model": {"num_layers": 5}, "infer": {"overlap": 0}}
    return Profile.model_validate(known | sections)


def test_a_model_is_trained_on_crops_or_else_on_tiles() -> None:
    assert profile_of({"prepare": {"tile": 64}}).tile_side == 64
    assert profile_of({"prepare": {"tile": 64}, "train": {"crop": 32}}).tile_side == 32
    assert profile_of({"prepare": {"tile": None}, "train": {"crop": 32}}).tile_side == 32


@pytest.mark.parametrize(
    ("sections", "key", "says"),
    [
        ({"train": {}}, "prepare.tile", "null needs train.crop"),
        ({"split": {"by": "tile"}}, "split.by", "'tile' needs tiles"),
        ({"prepare": {"tile": None, "drop_empty": True}}, "prepare.drop_empty", "leaves out tiles"),
        *(
            (
                {"prepare": {"tile": None, "augment": {name: value}}},
                f"prepare.augment.{name}",
                "makes copies of tiles",
            )
            for name, value in (
                *((name, True) for name in ("hflip", "vflip", "rotate90")),
                ("distortions", [0.1]),
            )
        ),
    ],
)
def test_without_tiles_there_is_nothing_that_needs_them(
    sections: dict[str, Any], key: str, says: str
) -> None:
    known = {"prepare": {"tile": None}, "train": {"crop": 32}}
    assert profile_of(known).prepare.tile is None
    with pytest.raises(ValidationError) as caught:
        profile_of(known | sections)
    (error,) = caught.value.errors()
    assert error["ctx"]["key"] == key
    assert says in error["msg"]


@pytest.mark.parametrize("classes", [1, 2, 3])
def test_weights_are_one_a_class_the_implicit_background_included(classes: int) -> None:
    colours: list[dict[str, Any]] = [
        {"name": f"class{index}", "colour": (index, index, 1)} for index in range(classes)
    ]
    needed = max(2, classes)

    def weighted(*weights: float) -> Profile:
        return profile_of({"classes": colours, "train": {"class_weights": list(weights)}})

    assert weighted(*range(needed)).train.class_weights == [float(index) for index in range(needed)]
    for count in (needed - 1, needed + 1):
        with pytest.raises(ValidationError, match=f"must be {needed} weights") as caught:
            weighted(*[1.0] * count)
        assert caught.value.errors()[0]["ctx"]["key"] == "train.class_weights"
    with pytest.raises(ValidationError, match="must not all be 0"):
        weighted(*[0.0] * needed)


@pytest.mark.parametrize("kind", ["saturation", "hue"])
@pytest.mark.parametrize("bands", [1, 4])
def test_only_images_of_three_bands_have_colours_to_change(kind: str, bands: int) -> None:
    def augmented(bands: int, probability: float) -> Profile:
        augment = {kind: {"probability": probability}, "noise": {"probability": 1.0}}
        return profile_of({"bands": bands, "train": {"augment": augment}})

    assert augmented(3, 0.5).train.augment.needs_colour
    assert augmented(bands, 0.0).bands == bands
    with pytest.raises(ValidationError, match=f"needs images of 3 bands, not of {bands}") as caught:
        augmented(bands, 0.5)
    assert caught.value.errors()[0]["ctx"]["key"] == f"train.augment.{kind}"


def test_a_compiled_training_is_not_deterministic() -> None:
    assert profile_of({"train": {"jit": True, "deterministic": False}}).train.jit
    with pytest.raises(ValidationError, match=r"needs train\.deterministic: false") as caught:
        profile_of({"train": {"jit": True}})
    assert caught.value.errors()[0]["ctx"]["key"] == "train.jit"


def test_settings_of_a_section_are_flat_and_json() -> None:
    profile = Profile(prepare=PrepareSettings(resize=(640, 512)))
    settings = profile.settings("prepare", "source.value_range", "dataset")
    assert settings["prepare.resize"] == [640, 512]
    assert settings["prepare.augment.hflip"] is False
    assert settings["dataset"] == "datasets/landslide"
    assert json.loads(json.dumps(settings)) == settings
    assert {key.split(".")[0] for key in settings} == {"prepare", "source", "dataset"}
    assert "source.images" not in settings


def test_settings_take_whole_names_only() -> None:
    assert Profile().settings("train.epoch") == {}
    assert Profile().settings("train.epochs") == {"train.epochs": 100}


def split_of(**values: Any) -> SplitSettings:
    return SplitSettings.model_validate(values)


def test_a_part_is_a_share_or_scenes_by_name() -> None:
    split = split_of(train=0.8, valid=0.2, test=["b", "a"])
    assert [split.share(part) for part in PARTS] == [0.8, 0.2, 0.0]
    assert [split.names(part) for part in PARTS] == [[], [], ["b", "a"]]


def test_by_default_groups_are_assigned_by_shares_into_three_parts() -> None:
    split = Profile().split
    assert [split.share(part) for part in PARTS] == [0.7, 0.15, 0.15]
    assert not any(split.names(part) for part in PARTS)
    assert (split.by, split.folds, split.groups, split.pattern) == ("group", None, None, None)


@pytest.mark.parametrize(
    "values",
    [
        {"train": 0.7, "valid": 0.3, "test": 0.0},
        {"train": 0.1, "valid": 0.2, "test": 0.7},
        {"train": 1, "valid": 0, "test": 0},
        {"train": 1 / 3, "valid": 1 / 3, "test": 1 / 3},
    ],
)
def test_shares_add_up_to_one(values: dict[str, float]) -> None:
    split = split_of(**values)
    assert sum(split.share(part) for part in PARTS) == pytest.approx(1)
    with pytest.raises(ValidationError, match=r"must add up to 1, not 1\.0[01]"):
        split_of(**(values | {"valid": values["valid"] + 0.01}))


@pytest.mark.parametrize(
    "values",
    [
        {"test": ["a"]},
        {"train": 0.5, "valid": 0.1, "test": ["a"]},
        {"train": 0.0, "valid": ["b"], "test": ["a"]},
        {"train": ["c"], "valid": ["b"], "test": ["a"]},
    ],
)
def test_shares_beside_names_need_not_add_up_to_one(values: dict[str, Any]) -> None:
    split = split_of(**values)
    assert split.names("test") == ["a"]
    assert split.share("train") == (0.0 if split.names("train") else values.get("train", 0.7))


@pytest.mark.parametrize(
    "values",
    [
        {"test": ["a", "b", "a"]},
        {"valid": ["a"], "test": ["b", "a"]},
        {"train": ["a"], "valid": ["a"], "test": ["b"]},
    ],
)
def test_a_scene_is_named_once(values: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="names the scene 'a' twice"):
        split_of(**values)


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"folds": 5, "test": ["a"]}, "does not go with scenes given to a part by name"),
        ({"by": "tile", "valid": ["a"]}, "'tile' does not go with scenes given to a part by name"),
        ({"folds": 2}, "greater than or equal to 3"),
        ({"folds": 101}, "less than or equal to 100"),
        ({"by": "pixel"}, "'group', 'scene' or 'tile'"),
        ({"test": []}, "at least 1 item"),
        ({"test": ["a", ""]}, "at least 1 character"),
        ({"test": -0.1}, "greater than or equal to 0"),
        ({"test": float("nan")}, "finite number"),
        ({"groups": ""}, "at least 1 character"),
    ],
)
def test_an_impossible_split_is_refused(values: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        split_of(**values)


@pytest.mark.parametrize("by", ["group", "scene", "tile"])
@pytest.mark.parametrize("folds", [None, 3, 100])
def test_groups_scenes_and_tiles_go_into_parts_and_into_folds(by: str, folds: int | None) -> None:
    split = split_of(by=by, folds=folds)
    assert (split.by, split.folds) == (by, folds)


@pytest.mark.parametrize("table", ["groups.csv", "data/Groups.CSV", "a(b).csv", "*.csv"])
def test_groups_in_a_csv_file_are_no_pattern(table: str) -> None:
    split = split_of(groups=table)
    assert split.groups == table
    assert split.pattern is None


@pytest.mark.parametrize(
    ("pattern", "name", "group"),
    [
        ("^(site[0-9]+)_", "site12_a", "site12"),
        ("(east|west)", "far-west-3", "west"),
        (r"^(\w)-(\w+)", "a-bc", "a"),
        ("^(.*)csv_", "xcsv_1", "x"),
    ],
)
def test_groups_by_name_are_a_pattern_with_a_parenthesis(
    pattern: str, name: str, group: str
) -> None:
    compiled = split_of(groups=pattern).pattern
    assert compiled is not None
    match = compiled.search(name)
    assert match is not None
    assert match[1] == group


@pytest.mark.parametrize(
    ("pattern", "says"),
    [
        ("(", "is no regular expression"),
        ("(a))", "is no regular expression"),
        ("*(a)", "is no regular expression"),
        ("^site[0-9]+", "has no parenthesis around the group's name"),
        ("(?:site)[0-9]+", "has no parenthesis around the group's name"),
        (r"\(site\)", "has no parenthesis around the group's name"),
    ],
)
def test_a_pattern_that_gives_no_groups_is_refused(pattern: str, says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        split_of(groups=pattern)


def test_without_a_fold_the_parts_and_the_run_lie_in_their_own_folders() -> None:
    for profile in (Profile(name="valley"), Profile(name="valley", split=split_of(folds=4))):
        assert profile.parts_folder == profile.dataset == Path("datasets/valley")
        assert profile.run_folder == profile.run == Path("runs/valley")


def test_a_fold_has_folders_of_its_own_in_them() -> None:
    profile = Profile(name="valley", run=Path("here"), split=split_of(folds=4), fold=3)
    assert profile.parts_folder == Path("datasets/valley/fold-3")
    assert profile.run_folder == Path("here/fold-3")
    assert (profile.dataset, profile.run) == (Path("datasets/valley"), Path("here"))


@pytest.mark.parametrize(
    ("folds", "fold", "says"),
    [(None, 1, "needs split.folds"), (4, 5, "must be 1 to 4"), (4, 0, "greater than or equal to")],
)
def test_a_fold_is_one_of_those_of_the_split(folds: int | None, fold: int, says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        Profile(split=split_of(folds=folds), fold=fold)
    assert Profile(split=split_of(folds=4), fold=4).fold == 4


def test_size_classes_ascend() -> None:
    assert EvaluateSettings(object_sizes=[0.5, 1.0, 1e9]).object_sizes == [0.5, 1.0, 1e9]
    assert EvaluateSettings(object_sizes=[]).object_sizes == []
    for sizes in ([2.0, 1.0], [1.0, 1.0], [1.0, 3.0, 2.0]):
        with pytest.raises(ValidationError, match="must ascend"):
            EvaluateSettings(object_sizes=sizes)
    with pytest.raises(ValidationError, match="greater than 0"):
        EvaluateSettings(object_sizes=[0.0, 1.0])
