"""Lengths with their unit: `2 px` or `1.5 m`."""

import re
from typing import Literal

LengthUnit = Literal["px", "m"]

_LENGTH = re.compile(r"(\d+(?:\.\d+)?)\s*(px|m)")


def length_of(text: str) -> tuple[float, LengthUnit] | None:
    """Return a length and its unit; None if the text is none."""
    match = _LENGTH.fullmatch(text.strip())
    if match is None:
        return None
    return float(match[1]), "px" if match[2] == "px" else "m"
