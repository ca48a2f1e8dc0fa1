"""Fixtures of these tests."""

import pytest

from landslide_cli.stages.prepare import prepare
from tests.stages.split.cases import AUGMENT, ProfileWith, WriteScene


@pytest.fixture
def prepared(profile_with: ProfileWith, write_scene: WriteScene) -> ProfileWith:
    """Six scenes of one tile each, with a mirrored copy."""
    for name in "abcdef":
        write_scene(name, rows=16, cols=16)
    prepare(profile_with(AUGMENT))
    return lambda *overrides: profile_with(AUGMENT, *overrides)
