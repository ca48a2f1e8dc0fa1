"""Fixtures of these tests."""

from collections.abc import Callable

import pytest

from landslide_cli.profile import Profile


@pytest.fixture
def profile(profile_with: Callable[..., Profile]) -> Profile:
    return profile_with()
