"""The three parts of a dataset."""

from typing import Literal, get_args

Part = Literal["train", "valid", "test"]
PARTS: tuple[Part, ...] = get_args(Part)
