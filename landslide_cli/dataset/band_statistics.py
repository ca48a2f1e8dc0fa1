"""Mean and deviation of bands over the training set, from what `prepare` measured of each scene."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from landslide_cli.core.composition import Composition
from landslide_cli.dataset.files import PREPARE_RECORD, SPLIT_RECORD
from landslide_cli.dataset.split_record import scene_names
from landslide_cli.dataset.tiles import TILES
from landslide_cli.documents import restored
from landslide_cli.profile import Profile
from landslide_cli.records import Record

# Of each input of a model: how many values, their mean and their deviation.
Moments = list[tuple[int, float, float]]


@dataclass(frozen=True)
class _Prepared:
    """Of the record of `prepare`, what the bands' values are, by scene."""

    bands: dict[str, Moments] = field(default_factory=dict)


def moments_of(values: NDArray[np.generic], valid: NDArray[np.bool_] | None) -> Moments:
    """Measure the bands of a scene, (rows, cols, bands), where it holds data."""
    known = values.reshape(-1, values.shape[-1]) if valid is None else values[valid]
    if not len(known):
        return [(0, 0.0, 0.0)] * values.shape[-1]
    means = known.mean(axis=0, dtype=np.float64)
    deviations = known.std(axis=0, dtype=np.float64)
    pairs = zip(means.tolist(), deviations.tolist(), strict=True)
    return [(len(known), mean, deviation) for mean, deviation in pairs]


def pooled(scenes: Sequence[Moments]) -> list[tuple[float, float]]:
    """Return mean and deviation of each band over all pixels of several scenes."""
    counts, means, deviations = np.array(scenes, np.float64).transpose(2, 0, 1)
    total = np.maximum(counts.sum(axis=0), 1.0)
    mean = (counts * means).sum(axis=0) / total
    square = (counts * (deviations**2 + (means - mean) ** 2)).sum(axis=0) / total
    return list(zip(mean.tolist(), np.sqrt(square).tolist(), strict=True))


def composition_of(profile: Profile) -> Composition | None:
    """Return what each band of the profile's scenes is, scaled as far as it is known.

    Bands with `auto` get mean and deviation over the scenes of the training set, or before `split`
    over all, once `prepare` has measured them.

    Raises:
        DataError: the record of `prepare` or of `split` is damaged.
    """
    composition = profile.composition
    if composition is None or not any(band.scaling == "auto" for band in composition.inputs):
        return composition
    path = profile.dataset / TILES / PREPARE_RECORD
    moments = _measured(path, _modified(path))
    if not moments:
        return composition
    names = scene_names(profile, "train") if _modified(profile.dataset / SPLIT_RECORD) else None
    learned = [moments[name] for name in names or moments if name in moments]
    statistics = pooled(learned or list(moments.values()))
    by_name = zip((band.name for band in composition.inputs), statistics, strict=True)
    return composition.scaled_by(dict(by_name))


def tile_composition(profile: Profile) -> Composition | None:
    """Return what the bands of the profile's tiles are; None for 8 bits.

    Raises:
        DataError: as `composition_of`.
    """
    composition = composition_of(profile)
    return None if composition is None else composition.of_tiles(profile.prepare.standardize)


def _modified(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


@lru_cache(8)
def _measured(path: Path, modified: int) -> Mapping[str, Moments]:
    """Read what was measured, again when the record has changed."""
    record = Record.read(path)
    return {} if record is None else restored(_Prepared, record.result, path, others=True).bands
