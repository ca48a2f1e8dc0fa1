"""Sheets: every picture whole and in its place, in any format."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from landslide_cli.imagery.figures import DPI, GAP, LINE, SheetRow, write_sheet
from landslide_cli.imagery.pictures import FALSE_ALARM, HIT, LEGEND, MISS
from landslide_cli.imagery.raster.images import read_image
from landslide_cli.imagery.raster.recognition import is_map

Picture = NDArray[np.uint8]

CELL = 48

# How strongly red, green and blue light excite the cones of the eye, and how they are seen without
# one kind of them: Viénot, Brettel and Mollon, "Digital video colourmaps for checking the
# legibility of displays by dichromats", Color Research and Application 24 (1999).
CONES = np.array(
    [[17.8824, 43.5161, 4.11935], [3.45565, 27.1554, 3.86714], [0.02996, 0.18431, 1.467]]
)

pytestmark = pytest.mark.usefixtures("printed_figures")
WITHOUT = {
    "red": [[0, 2.02344, -2.52581], [0, 1, 0], [0, 0, 1]],
    "green": [[1, 0, 0], [0.494207, 0, 1.24827], [0, 0, 1]],
}


def patch(*colour: int, rows: int = CELL, cols: int = CELL) -> Picture:
    return np.full((rows, cols, 3), colour, np.uint8)


def count(page: Picture, colour: tuple[int, ...]) -> int:
    return int((page == np.array(colour, np.uint8)).all(axis=-1).sum())


def written(path: Path, rows: list[SheetRow]) -> Picture:
    write_sheet(path, ["image", "mask"], rows, CELL)
    return read_image(path, 3)


def test_pictures_are_whole_and_in_their_places(tmp_path: Path) -> None:
    rows = [
        SheetRow(name, [patch(200 + i, 0, 0), patch(210 + i, 0, 0)]) for i, name in enumerate("ab")
    ]
    page = written(tmp_path / "sheet.png", rows)
    for row in range(2):
        top = 2 * LINE + row * (LINE + CELL + GAP)
        for col in range(2):
            left = GAP + col * (CELL + GAP)
            expected = (200 + 10 * col + row, 0, 0)
            assert count(page[top : top + CELL, left : left + CELL], expected) == CELL**2


def test_captions_notes_and_legend_are_written(tmp_path: Path) -> None:
    pictures = [patch(255, 255, 255)] * 2
    plain = written(tmp_path / "a.png", [SheetRow("", pictures)])
    noted = written(tmp_path / "b.png", [SheetRow("", pictures, "Dice 0.9")])
    assert noted.shape[0] == plain.shape[0] + LINE
    assert (noted[-LINE - GAP :] < 100).any()
    assert not (plain[LINE:] < 100).any()


def test_legend_explains_every_colour(tmp_path: Path) -> None:
    write_sheet(tmp_path / "a.png", ["image", "map"], [], 280, LEGEND)
    page = read_image(tmp_path / "a.png", 3)
    assert page.shape[0] == 2 * LINE
    assert all(count(page, colour) > 100 for _, colour in LEGEND)


def test_a_long_legend_goes_on_in_further_lines(tmp_path: Path) -> None:
    legend = [(f"a class of many words {i}", (20 * i, 255 - 20 * i, 90)) for i in range(10)]
    write_sheet(tmp_path / "a.png", ["image", "map"], [], 400, legend)
    page = read_image(tmp_path / "a.png", 3)
    assert page.shape[0] > 3 * LINE
    assert all(count(page, colour) > 100 for _, colour in legend)
    assert (page[:, -GAP // 2 :] == 255).all()  # nothing runs off the page


def test_scale_bar_is_as_long_as_it_says(tmp_path: Path) -> None:
    # 300 metres are 240 dots wide: 100 metres are a third of them.
    rows = [SheetRow("", [patch(0, 0, 0, rows=240, cols=240)], metres=300.0)]
    write_sheet(tmp_path / "sheet.png", ["image"], rows, 240)
    page = read_image(tmp_path / "sheet.png", 3)
    inside = page[2 * LINE : 2 * LINE + 240, GAP : GAP + 240]
    bar = (inside[-2 * GAP :] > 200).all(axis=-1).any(axis=0)
    assert bar.sum() == pytest.approx(80, abs=5)
    assert (inside[-6 * GAP : -2 * GAP] > 200).any()  # its words


def test_sheet_is_known_as_ours_and_has_its_size_in_print(tmp_path: Path) -> None:
    path = tmp_path / "sheet.png"
    written(path, [SheetRow("a", [patch(9, 9, 9)] * 2)])
    assert is_map(path)
    start = path.read_bytes().index(b"pHYs") + 4
    dots_per_metre = int.from_bytes(path.read_bytes()[start : start + 4], "big")
    assert dots_per_metre == pytest.approx(DPI / 0.0254, abs=1)


@pytest.mark.parametrize(("suffix", "start"), [(".pdf", b"%PDF-"), (".svg", b"<?xml")])
def test_sheets_are_written_for_print(tmp_path: Path, suffix: str, start: bytes) -> None:
    path = tmp_path / f"sheet{suffix}"
    write_sheet(path, ["image"], [SheetRow("a", [patch(9, 9, 9)], "b", 100.0)], CELL, LEGEND)
    assert path.read_bytes().startswith(start)
    first = path.read_bytes()
    write_sheet(path, ["image"], [SheetRow("a", [patch(9, 9, 9)], "b", 100.0)], CELL, LEGEND)
    assert path.read_bytes() == first
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("kind", list(WITHOUT))
def test_hits_misses_and_false_alarms_differ_for_the_colour_blind(kind: str) -> None:
    light = (np.array([HIT, MISS, FALSE_ALARM]) / 255.0) ** 2.2
    seen = np.linalg.inv(CONES) @ np.array(WITHOUT[kind]) @ CONES @ light.T
    shown = 255.0 * np.clip(seen, 0.0, 1.0).T ** (1 / 2.2)
    distances = np.linalg.norm(shown[:, None] - shown, axis=-1)[np.triu_indices(3, 1)]
    assert distances.min() > 80.0
