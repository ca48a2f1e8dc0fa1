"""The profiles in `configs`: each loads, prepares and splits data of the form that it is for."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from landslide_cli.core.parts import PARTS
from landslide_cli.dataset.tiles import part_tiles
from landslide_cli.imagery.raster.masks import read_mask
from landslide_cli.profile import Profile, load_profile
from landslide_cli.stages.prepare import PrepareResult, prepare
from landslide_cli.stages.split import SplitResult, split

CONFIGS = Path("configs").absolute()
SMALL = ("prepare.tile=128", "prepare.workers=1", "split.overlap.content=false")
AUGMENT_OFF = ("prepare.augment.hflip=false", "prepare.augment.distortions=[]")

Picture = NDArray[np.uint8]


def write(path: str, picture: Picture) -> None:
    file = Path(path)
    file.parent.mkdir(parents=True, exist_ok=True)
    bgr = picture[..., ::-1] if picture.ndim == 3 else picture
    assert cv2.imwrite(str(file), bgr)


def noise(rows: int, cols: int, seed: int) -> Picture:
    return np.random.default_rng(seed).integers(0, 256, (rows, cols, 3), np.uint8)


def blocks(rows: int, cols: int, indices: Sequence[int], seed: int) -> Picture:
    """A mask of squares of 16 pixels, each of one class; all classes are there."""
    rng = np.random.default_rng(seed)
    coarse = rng.choice(indices, (-(-rows // 16), -(-cols // 16)))
    coarse.flat[: len(indices)] = indices
    return np.kron(coarse, np.ones((16, 16), np.uint8))[:rows, :cols].astype(np.uint8)


def run(name: str, reporter: Any, *overrides: str) -> tuple[Profile, PrepareResult, SplitResult]:
    profile = load_profile(CONFIGS / f"{name}.yaml", [*SMALL, *overrides])
    return profile, prepare(profile, reporter=reporter), split(profile, reporter=reporter)


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_profile_loads(path: Path) -> None:
    profile = load_profile(path)
    assert profile.name == path.stem


@pytest.mark.parametrize("form", ["indices", "colours"])
def test_drone_images_have_nine_classes_and_ground_without_a_label(
    reporter: Any, form: str
) -> None:
    palette = load_profile(CONFIGS / "drone-image.yaml").palette
    for number in range(6):
        # People are in one scene only.
        mask = blocks(128, 240, range(10 if number == 0 else 9), number)
        suffix = ".jpg" if number % 2 else ".png"
        write(f"data/drone-image/images/scene{number}{suffix}", noise(128, 240, number))
        labels = mask if form == "indices" else palette.colourise(mask)
        write(f"data/drone-image/masks/scene{number}.png", labels)
    profile, prepared, parts = run("drone-image", reporter, *AUGMENT_OFF)
    assert prepared.mask_encodings == {form: 6}
    assert list(prepared.class_pixels) == list(palette.names[1:])
    assert all(prepared.class_pixels.values())
    assert prepared.unlabelled_pixels > 0
    tile = part_tiles(profile.dataset, "train")[0]
    assert not (read_mask(tile.mask, palette).mask == 0).any()
    without = parts.absent["people"]
    assert len(without) == 2
    assert f"no pixel of the class people in {', '.join(without)}" in reporter.warnings
    assert parts.absent.keys() == {"people"}
    # 2 of 6 scenes would be a third: each class is as near to its share as scenes allow.
    for part in parts.parts:
        for name, share in part.classes.items():
            if name != "people":
                assert share == pytest.approx(part.scenes / 6, abs=0.12)


def test_nepals_blended_colours_are_those_of_the_nearest_class(
    reporter: Any,
) -> None:
    palette = load_profile(CONFIGS / "nepal.yaml").palette
    for number in range(6):
        mask = blocks(128, 128, [0, 1] if number else [0], number)
        blended = cv2.GaussianBlur(palette.colourise(mask), (0, 0), 1.0)
        write(f"data/nepal/images/image_{number}.png", noise(128, 128, number))
        write(f"data/nepal/masks/image_{number}.png", blended)
    _, prepared, parts = run("nepal", reporter)
    assert prepared.changed_pixels > 0
    assert (prepared.tiles, prepared.augmented) == (6, 6 * 5)
    assert sum(part.scenes for part in parts.parts) == 6


def test_bijie_has_tiles_of_any_size_and_tiles_without_landslides(
    reporter: Any,
) -> None:
    for number, side in enumerate([61, 90, 128, 140, 200, 300]):
        mask = blocks(side, side + 7, [0, 1], number) * np.uint8(255)
        write(f"data/bijie/landslide/image/df{number:03d}.png", noise(side, side + 7, number))
        write(f"data/bijie/landslide/mask/df{number:03d}.png", mask)
        write(f"data/bijie/non-landslide/image/n{number:03d}.png", noise(90, 100, 50 + number))
    _, prepared, parts = run("bijie", reporter, *AUGMENT_OFF)
    assert prepared.mask_encodings == {"binary": 6, "none": 6}
    assert prepared.padding_pixels > 0
    assert not parts.absent
    for part in PARTS:
        names = parts.scenes[part]
        assert any(name.startswith("none") for name in names)
        assert any(name.startswith("landslide") for name in names)


def test_hokkaido_is_red_on_black(reporter: Any) -> None:
    palette = load_profile(CONFIGS / "hokkaido.yaml").palette
    for number in range(4):
        mask = palette.colourise(blocks(128, 128, [0, 1], number))
        write(f"data/hokkaido/images/{number}.png", noise(128, 128, number))
        write(f"data/hokkaido/masks/{number}.png", mask)
    _, prepared, _ = run("hokkaido", reporter, *AUGMENT_OFF)
    assert prepared.mask_encodings == {"colours": 4}
    assert prepared.class_pixels["landslide"] > 0


def test_japans_parts_stay_as_they_are(reporter: Any) -> None:
    colours = np.array([(0, 0, 0), (0, 200, 200)], np.uint8)
    for part in PARTS:
        for number in range(2):
            mask = colours[blocks(128, 128, [0, 1], number)]
            write(f"data/japan/{part}/images/{number}.png", noise(128, 128, number))
            write(f"data/japan/{part}/masks/{number}.png", mask)
    given = (
        "classes=[{name: background, colour: [0, 0, 0]}, {name: landslide, colour: [0, 200, 200]}]"
    )
    _, _, parts = run("japan", reporter, given)
    assert {part: parts.scenes[part] for part in PARTS} == {
        part: [f"{part}-0", f"{part}-1"] for part in PARTS
    }
    with pytest.raises(Exception, match=r"holds colours that are no class: \(0, 200, 200\)"):
        run("japan", reporter, "dataset=another")
