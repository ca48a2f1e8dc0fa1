"""The learning rate of each step, and patience."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from landslide_cli.profile import TrainSettings
from landslide_cli.profile.train import higher_is_better
from landslide_cli.stages.train.schedule import Patience, Schedule


def schedule(steps: int = 10, **settings: object) -> Schedule:
    values = {"learning_rate": 1e-3, "epochs": 5, **settings}
    return Schedule(TrainSettings(**values), steps)  # type: ignore[arg-type]


def test_patience_counts_from_the_last_new_least_value() -> None:
    patience = Patience(2)
    assert [patience.improved(value) for value in (3.0, 2.0, 2.5, 1.0)] == [1, 1, 0, 1]
    assert not patience.exhausted
    patience.improved(1.0)
    patience.improved(1.0)
    assert patience.exhausted


def test_patience_without_a_number_never_ends() -> None:
    patience = Patience(None)
    for _ in range(100):
        patience.improved(1.0)
    assert not patience.exhausted


def test_patience_for_a_rising_value_wants_more() -> None:
    patience = Patience(1, higher_is_better=True)
    assert [patience.improved(value) for value in (0.1, 0.3, 0.2)] == [True, True, False]
    assert patience.exhausted


def test_patience_within_the_margin_is_no_better() -> None:
    patience = Patience(5, margin=0.1)
    assert [patience.improved(value) for value in (1.0, 0.95, 0.85)] == [True, False, True]


@given(st.lists(st.floats(-10, 10), min_size=1), st.integers(0, 40), st.booleans())
def test_patience_loaded_from_its_state_continues_alike(
    values: list[float], cut: int, rising: bool
) -> None:
    whole, first = Patience(3, rising), Patience(3, rising)
    expected = [whole.improved(value) for value in values]
    before = [first.improved(value) for value in values[:cut]]
    second = Patience(3, rising)
    second.load_dict(json.loads(json.dumps(first.to_dict())))
    after = [second.improved(value) for value in values[cut:]]
    assert before + after == expected
    assert second.exhausted == whole.exhausted


def test_losses_fall_and_metrics_rise() -> None:
    assert not higher_is_better("valid_loss")
    assert not higher_is_better("loss")
    assert higher_is_better("valid_dice")
    assert higher_is_better("dice_coef_multiclass")


def test_constant_rate_stays() -> None:
    made = schedule(schedule="constant", reduce_patience=1)
    for epoch in range(1, 6):
        assert made.rate(epoch, 3) == 1e-3
        made.end_epoch(1.0)


def test_cosine_falls_from_the_rate_to_its_final_share() -> None:
    made = schedule(schedule="cosine", final_rate=0.1)
    rates = [made.rate(epoch, step) for epoch in range(1, 6) for step in range(10)]
    assert rates[0] == pytest.approx(1e-3)
    assert rates == sorted(rates, reverse=True)
    assert rates[25] == pytest.approx(1e-3 * (0.1 + 0.9 / 2))
    assert rates[-1] == pytest.approx(1e-3 * (0.1 + 0.45 * (1 + math.cos(math.pi * 49 / 50))))
    assert made.rate(6, 0) == pytest.approx(1e-4)


@pytest.mark.parametrize("kind", ["constant", "cosine", "plateau"])
def test_warm_up_rises_from_above_nothing_to_the_rate(kind: str) -> None:
    made = schedule(schedule=kind, warmup_epochs=1.5)
    rates = [made.rate(1 + done // 10, done % 10) for done in range(16)]
    assert rates[0] == pytest.approx(1e-3 / 15)
    assert rates[:15] == sorted(rates[:15])
    assert rates[14] == rates[15] == pytest.approx(1e-3)


def test_plateau_reduces_the_rate_each_time_patience_ends() -> None:
    made = schedule(reduce_patience=2, reduce_factor=0.5)
    rates = []
    for epoch, monitored in enumerate((1.0, 1.0, 1.0, 0.5, 0.5, 0.5), start=1):
        rates.append(made.rate(epoch, 0) / 1e-3)
        made.end_epoch(monitored)
    assert rates == [1, 1, 1, 0.5, 0.5, 0.5]
    assert made.rate(7, 0) == pytest.approx(0.25e-3)


def test_plateau_continues_from_its_state() -> None:
    made = schedule(reduce_patience=2)
    made.end_epoch(1.0)
    made.end_epoch(1.0)
    again = schedule(reduce_patience=2)
    again.load_dict(json.loads(json.dumps(made.to_dict())))
    again.end_epoch(1.0)
    assert again.rate(4, 0) == pytest.approx(0.5e-3)
