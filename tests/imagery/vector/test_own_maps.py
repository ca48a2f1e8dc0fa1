"""Whether a layer of labels is a map of this program that nobody has corrected."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely
from numpy.typing import NDArray
from pyogrio import raw

from landslide_cli.imagery.raster.georeference import Georeference
from landslide_cli.imagery.vector.attributes import table_of
from landslide_cli.imagery.vector.own_maps import is_untouched_map
from landslide_cli.imagery.vector.polygon_files import LAYER, write_polygons
from tests.imagery.vector.shapes import DEGREES, ORIGIN, UTM, landslides_in, squares

Columns = dict[str, NDArray[Any]]
Change = Callable[[NDArray[Any], Columns], tuple[NDArray[Any], Columns]]


def mapped(path: Path, place: Georeference = UTM) -> Path:
    landslides = landslides_in(squares(10, 4, 7), place)
    write_polygons(path, table_of(landslides, place, ORIGIN), ORIGIN)
    return path


def corrected(path: Path, change: Change) -> Path:
    """Write a map again, with its geometries and attributes changed."""
    meta, _, wkb, values = raw.read(path, layer=LAYER)
    columns = dict(zip(meta["fields"], values, strict=True))
    shapes, columns = change(shapely.from_wkb(wkb), columns)
    raw.write(
        path,
        shapely.to_wkb(shapes),
        list(columns.values()),
        list(columns),
        layer=LAYER,
        driver="GPKG",
        crs=meta["crs"],
        geometry_type="MultiPolygon",
        promote_to_multi=True,
    )
    return path


@pytest.mark.parametrize("name", ["a.gpkg", "a.geojson"])
@pytest.mark.parametrize("place", [UTM, DEGREES])
def test_a_map_as_it_was_written_is_untouched(
    tmp_path: Path, name: str, place: Georeference
) -> None:
    assert is_untouched_map(str(mapped(tmp_path / name, place)))


def test_a_map_that_was_only_copied_is_untouched(tmp_path: Path) -> None:
    assert is_untouched_map(str(corrected(mapped(tmp_path / "a.gpkg"), lambda *same: same)))


def without_the_first(shapes: NDArray[Any], columns: Columns) -> tuple[NDArray[Any], Columns]:
    return shapes[1:], {name: values[1:] for name, values in columns.items()}


def with_the_last_moved(shapes: NDArray[Any], columns: Columns) -> tuple[NDArray[Any], Columns]:
    shapes[-1] = shapely.transform(shapes[-1], lambda points: points + 0.5)
    return shapes, columns


def with_a_drawn_one(shapes: NDArray[Any], columns: Columns) -> tuple[NDArray[Any], Columns]:
    more = np.append(shapes, shapely.box(500_000, 3_399_990, 500_004, 3_399_995))
    return more, {name: with_a_gap(values) for name, values in columns.items()}


def with_a_gap(values: NDArray[Any]) -> NDArray[Any]:
    if values.dtype.kind == "O":
        return np.array([*values, None], object)
    values = values.astype(float) if values.dtype.kind in "ib" else values
    return np.append(values, np.array(["nan" if values.dtype.kind == "f" else "NaT"], values.dtype))


@pytest.mark.parametrize("change", [without_the_first, with_the_last_moved, with_a_drawn_one])
def test_a_corrected_map_is_told_from_it(tmp_path: Path, change: Change) -> None:
    assert not is_untouched_map(str(corrected(mapped(tmp_path / "a.gpkg"), change)))


def test_a_layer_from_elsewhere_is_no_map(tmp_path: Path) -> None:
    path = tmp_path / "slides.gpkg"
    shapes = shapely.to_wkb(np.array([shapely.box(0, 0, 1, 1)], object))
    ids = np.array([1])
    raw.write(path, shapes, [ids], ["id"], driver="GPKG", crs="EPSG:32648", geometry_type="Polygon")
    assert not is_untouched_map(str(path))
