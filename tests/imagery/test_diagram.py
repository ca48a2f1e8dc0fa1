"""The picture of a network has room for all of its blocks."""

from pathlib import Path

import pytest
from PIL import Image

from landslide_cli.core.diagram import Block
from landslide_cli.imagery.diagram import plot_network

pytestmark = pytest.mark.usefixtures("printed_figures")


def chain(count: int) -> list[Block]:
    """Blocks in a row, the first also taken by the last."""
    return [
        Block(
            f"encoder_{index}_with_a_very_long_name_that_is_cut",
            (64, 64, 8),
            10**index,
            1,
            tuple(sorted({index - 1, 0})) if index == count - 1 else (index - 1,) * (index > 0),
            index,
            0,
            0,
        )
        for index in range(count)
    ]


def test_a_longer_network_has_a_wider_picture_and_is_written_whole(tmp_path: Path) -> None:
    widths = []
    for count in (4, 8):
        path = tmp_path / f"{count}.png"
        plot_network(path, "a network", chain(count))
        with Image.open(path) as picture:
            picture.load()
            widths.append(picture.width)
    assert widths[1] > 1.5 * widths[0]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["4.png", "8.png"]
