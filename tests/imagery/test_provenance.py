"""Where maps come from."""

from datetime import date

import pytest

from landslide_cli.imagery.provenance import Provenance, day_of_mapping


def test_what_is_not_known_is_not_said() -> None:
    tags = Provenance("a", None, "3f2a", "2025-11-30").tags()
    assert tags == {"MODEL": "3f2a", "MAPPED": "2025-11-30"}


def test_the_date_is_that_of_today_or_of_a_reproducible_build(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    assert day_of_mapping() == date.today().isoformat()
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    assert day_of_mapping() == "2023-11-14"
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "yesterday")
    assert day_of_mapping() == date.today().isoformat()
