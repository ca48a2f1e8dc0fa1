"""Landslide maps from aerial imagery: one command line, six steps, one profile.

From Python: `load_profile`, `predict`, `map_scenes` and `evaluate` (docs/python.md).
"""

from typing import TYPE_CHECKING, Any

from landslide_cli.version import __version__

if TYPE_CHECKING:
    from landslide_cli.api import (
        LandslideError,
        LandslideWarning,
        evaluate,
        load_profile,
        map_scenes,
        predict,
    )

__all__ = [
    "LandslideError",
    "LandslideWarning",
    "__version__",
    "evaluate",
    "load_profile",
    "map_scenes",
    "predict",
]


def __getattr__(name: str) -> Any:
    # What is not asked for is not imported: a command's help needs none of it.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from landslide_cli import api

    return getattr(api, name)


def __dir__() -> list[str]:
    return __all__
