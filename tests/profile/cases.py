"""What the tests of loading share."""

from collections.abc import Callable
from pathlib import Path

import pytest

from landslide_cli.errors import ProfileError
from landslide_cli.profile import load_profile

Write = Callable[[str], Path]


def message_of(path: Path, *overrides: str) -> str:
    with pytest.raises(ProfileError) as caught:
        load_profile(path, overrides)
    message = str(caught.value)
    assert caught.value.exit_status == 2
    assert len(message.splitlines()) <= 2
    return message
