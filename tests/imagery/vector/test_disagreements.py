"""Misses and false alarms as polygons, the heaviest first."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from landslide_cli.core.palette import IGNORE
from landslide_cli.imagery.vector.disagreements import disagreements

SIDE = 24


def test_misses_and_false_alarms_by_their_weight() -> None:
    truth, mapped = np.zeros((2, SIDE, SIDE), np.uint8)
    probability = np.full((SIDE, SIDE), 0.25, np.float32)
    truth[2:6, 2:6] = 1  # missed, 16 pixels
    truth[10:12, 2:4] = mapped[10:12, 2:4] = 1  # found
    mapped[2:4, 12:20], probability[2:4, 12:20] = 1, 0.5  # 16 pixels that weigh 8
    mapped[10:13, 12:16], probability[10:13, 12:16] = 2, 1.0  # 12 pixels that weigh 12
    miss, *alarms = disagreements(truth, mapped, probability, most=9)
    assert (miss.kind, miss.pixels, miss.probability) == ("miss", 16, 0.75)
    assert miss.polygon.bounds == (2.0, 2.0, 6.0, 6.0)
    assert [alarm.weight for alarm in alarms] == [12.0, 8.0]
    assert alarms[0].polygon.bounds == (12.0, 10.0, 16.0, 13.0)
    assert len(disagreements(truth, mapped, probability, most=1)) == 2


def test_ground_without_a_label_or_data_disagrees_with_nothing() -> None:
    truth, mapped = np.zeros((2, SIDE, SIDE), np.uint8)
    truth[:, :12], mapped[:, :12] = IGNORE, 1
    truth[:, 12:], mapped[:, 12:] = 1, IGNORE
    assert disagreements(truth, mapped, np.ones((SIDE, SIDE), np.float32), most=9) == []


@given(st.integers(0, 2**32 - 1))
def test_polygons_have_the_pixels_that_they_say(seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth, mapped = rng.integers(0, 2, (2, SIDE, SIDE), np.uint8)
    probability = rng.random((SIDE, SIDE), np.float32)
    found = disagreements(truth, mapped, probability, most=SIDE * SIDE)
    assert all(entry.polygon.area == entry.pixels for entry in found)
    missed = sum(entry.pixels for entry in found if entry.kind == "miss")
    assert missed == ((truth == 1) & (mapped == 0)).sum()
    assert sum(entry.pixels for entry in found) == (truth != mapped).sum()
