"""What the scenes of a run went through in its training, by its record."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from landslide_cli.documents import damaged_file, read_json, restored
from landslide_cli.imagery.raster.preprocessing import Preprocessing
from landslide_cli.runs.files import METRICS, PROFILE, RUN_RECORD, UNFINISHED_RECORD


@dataclass(frozen=True)
class _Trained:
    """The part of `run.json` that every version has recorded."""

    result: dict[str, Any]


@dataclass(frozen=True)
class _TrainedBefore:
    """What version 0.1.0 has recorded of the preprocessing, in the result."""

    scale: float
    standardized: bool = False


def stored_preprocessing(folder: Path, bands: int) -> Preprocessing:
    """Return what the scenes of a run went through in its training.

    Args:
        folder: of the run; one without a record holds a model from elsewhere, which takes scenes
            as they are.
        bands: of such a model.

    Raises:
        DataError: the record is damaged.
    """
    path = folder / RUN_RECORD
    document = read_json(path)
    if document is not None:
        return restored_preprocessing(document, bands, path)
    is_trained = any((folder / name).exists() for name in (METRICS, PROFILE))
    if is_trained and not (folder / UNFINISHED_RECORD).exists():
        raise damaged_file(path, "is missing, without which the rest of the run is not to be used")
    return Preprocessing(bands)


def restored_preprocessing(document: Mapping[str, Any], bands: int, path: Path) -> Preprocessing:
    """Restore what the scenes of a training went through from the record of its run.

    Args:
        document: the record.
        bands: of the model, which version 0.1.0 did not record.
        path: of the record, for messages.

    Raises:
        DataError: it is damaged.
    """
    result = restored(_Trained, document, path, others=True).result
    if "preprocessing" in result:
        return restored(Preprocessing, result["preprocessing"], path)
    before = restored(_TrainedBefore, result, path, others=True)
    return Preprocessing(bands, scale=before.scale, standardized=before.standardized)
