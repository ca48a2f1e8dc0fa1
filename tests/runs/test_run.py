"""Finding a run, and what its scenes go through."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from landslide_cli.errors import LandslideError, ProfileError
from landslide_cli.imagery.raster.preprocessing import Preprocessing
from landslide_cli.profile import Profile
from landslide_cli.runs.run import find_run

WriteRaster = Callable[..., Path]


@pytest.mark.parametrize("name", ["model.keras", "threshold.json"])
@pytest.mark.parametrize("damage", ["cut short", "exchanged", "lost"])
def test_run_of_which_a_file_is_not_its_own_is_refused(
    trained: Profile, name: str, damage: str
) -> None:
    find_run(trained)
    path = trained.run / name
    content = path.read_bytes()
    path.write_bytes(content[:-9] if damage == "cut short" else b"{}\n")
    if damage == "lost":
        path.unlink()
    with pytest.raises(LandslideError, match=rf"{name}: .*\n?.*landslide train"):
        find_run(trained)


BANDS: dict[str, list[Any]] = {
    "bands": [
        {"name": "red", "band": 1, "range": (0, 9)},
        {"name": "nir", "band": 4, "range": (0, 9)},
        {"name": "height", "layer": "dem", "range": (0, 9)},
    ]
}


def test_scenes_of_each_source_are_read_by_its_own_bands(
    write_raster: WriteRaster, tmp_path: Path
) -> None:
    images = [
        write_raster(f"{name}/a.tif", np.ones((8, 8, 6), np.uint16)) for name in ("one", "two")
    ]
    sources = [
        {"name": image.parent.name, "images": str(image), "masks": "none", "layers": {"dem": "d"}}
        for image in images
    ]
    profile = Profile.model_validate(
        BANDS | {"source": [sources[0], sources[1] | {"bands": [2, 6]}]}
    )
    composition = profile.composition
    run = find_run(profile, tmp_path, Preprocessing(3, composition=composition))
    numbers = [
        None if own.composition is None else own.composition.numbers(None)
        for own in (run.of_sources[image.resolve()] for image in images)
    ]
    assert numbers == [(1, 4), (2, 6)]


def test_slopes_of_other_scenes_are_derived_with_the_gsd_of_the_sources(tmp_path: Path) -> None:
    slope = {"name": "slope", "derive": "slope", "of": "height"}
    source = {"images": "i/*.tif", "masks": "m/*.tif", "layers": {"dem": "dem.tif"}, "gsd": 10.0}

    def gsd(bands: list[Any], *sources: dict[str, Any]) -> float | None:
        profile = Profile.model_validate({"bands": bands, "source": list(sources)})
        stored = Preprocessing(len(bands), composition=profile.composition)
        return find_run(profile, tmp_path, stored).preprocessing.own_gsd

    assert gsd([*BANDS["bands"], slope], source) == 10.0
    assert gsd([*BANDS["bands"], slope], source, source | {"name": "b", "gsd": 5.0}) is None
    assert gsd(BANDS["bands"], source) is None


def test_a_layer_that_the_model_does_not_read_is_refused(tmp_path: Path) -> None:
    source = {"images": "i/*.tif", "masks": "m/*.tif", "layers": {"dem": "dem.tif"}}
    document = BANDS | {"source": source, "infer": {"layers": {"dme": "new.tif"}}}
    profile = Profile.model_validate(document)
    with pytest.raises(ProfileError, match=r"infer\.layers\.dme: .* it reads dem$"):
        find_run(profile, tmp_path, Preprocessing(3, composition=profile.composition))
