"""What the tests of split share."""

from collections.abc import Callable, Mapping
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

from landslide_cli.core.parts import PARTS, Part
from landslide_cli.profile import Profile
from landslide_cli.stages.split import split

ProfileWith = Callable[..., Profile]


WriteScene = Callable[..., tuple[Path, Path]]

AUGMENT = "prepare.augment.hflip=true"


def chained(parts: Mapping[Part, list[str]]) -> list[str]:
    return list(chain.from_iterable(parts[part] for part in PARTS))


def error_of(kind: type[Exception], profile: Profile, **options: Any) -> str:
    with pytest.raises(kind) as caught:
        split(profile, **options)
    message = str(caught.value)
    assert len(message.splitlines()) <= 2
    return message
