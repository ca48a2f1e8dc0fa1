"""What happens to scenes before a training sees them, to be repeated on all that is mapped."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from landslide_cli.dataset.band_statistics import composition_of
from landslide_cli.dataset.files import PREPARE_RECORD
from landslide_cli.dataset.prepared import prepared_scale
from landslide_cli.dataset.scenes import Scene
from landslide_cli.dataset.tiles import TILES
from landslide_cli.documents import restored
from landslide_cli.imagery.raster.preprocessing import Preprocessing
from landslide_cli.profile import Profile
from landslide_cli.records import Record


@dataclass(frozen=True)
class _Prepared:
    """Of the record of `prepare`, how tiles were made from scenes."""

    scale: float = 1.0
    standardized: bool = False
    gsd: float | None = None


def training_preprocessing(profile: Profile, scenes: Sequence[Scene]) -> Preprocessing:
    """Return the preprocessing of the images that a training learns from.

    Args:
        profile: its `bands`, `prepare`, `source`, `train` and `dataset` are used.
        scenes: whose crops are learned, resized as the profile says; `scale` is the median of those
            of the first source with masks. Empty for tiles, which were resized as the record of
            `prepare` says; tiles of other tools count as not resized.

    Raises:
        DataError: an image's header, or the record of the tiles, cannot be read.
    """
    if scenes:
        leading = of_leading_source(scenes)
        scale = float(np.median([prepared_scale(profile, scene) for scene in leading]))
        standardized, gsd = profile.prepare.standardize, profile.prepare.gsd
    else:
        tiles = _prepared(profile.dataset / TILES / PREPARE_RECORD)
        scale, standardized, gsd = tiles.scale, tiles.standardized, tiles.gsd
    first = profile.sources[0]
    order = first.bands or profile.band_order
    return Preprocessing(
        profile.model_inputs,
        order=None if order is None else tuple(order),
        value_range=first.value_range,
        scale=scale,
        gsd=gsd,
        gsd_range=None if gsd is None else _gsd_range(profile, gsd),
        standardized=standardized,
        composition=composition_of(profile),
    )


def _prepared(path: Path) -> _Prepared:
    record = Record.read(path)
    if record is None:
        return _Prepared()
    values = {**record.result, "gsd": record.settings.get("prepare.gsd")}
    return restored(_Prepared, values, path, others=True)


def of_leading_source(scenes: Sequence[Scene]) -> list[Scene]:
    """Return the scenes of the first source with masks, or else of the first: what a run is for.

    The others are there to learn from, and may be shown at another scale.
    """
    labelled = [scene for scene in scenes if scene.mask is not None] or list(scenes)
    first = min(scene.source for scene in labelled)
    return [scene for scene in labelled if scene.source == first]


def _gsd_range(profile: Profile, gsd: float) -> tuple[float, float]:
    """Return the range of GSD that a training covers by rescaling its examples at random."""
    train = profile.train
    ranges = [train.augment.zoom.range] if train.augment.zoom.probability > 0.0 else []
    if train.crop is not None:
        ranges.append(train.crop_scale)
    if train.mosaic:
        labelled = [source.zoom for source in profile.sources if not source.is_background]
        zooms = [zoom for zoom in labelled if zoom is not None]
        ranges += [(min(z[0] for z in zooms), max(z[1] for z in zooms))] if zooms else []
    least, most = (float(np.prod([ends[i] for ends in ranges])) for i in (0, 1))
    return gsd / most, gsd / least
