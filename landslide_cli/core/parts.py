"""The parts of a split, and the folds of a cross-validation."""

from typing import Literal, get_args

Part = Literal["train", "valid", "test"]
PARTS: tuple[Part, ...] = get_args(Part)


def fold_folder(fold: int) -> str:
    """Return the name of the folder of a fold, counted from 1, in a dataset and in a run."""
    return f"fold-{fold}"
