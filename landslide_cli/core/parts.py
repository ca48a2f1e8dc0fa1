"""The three parts of a dataset, and the folds of a cross-validation."""

from typing import Literal, get_args

Part = Literal["train", "valid", "test"]
PARTS: tuple[Part, ...] = get_args(Part)


def fold_folder(fold: int) -> str:
    """Name the folder of a fold, counted from 1, in a dataset and in a run."""
    return f"fold-{fold}"
