"""What the page of the report says of a map."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine

from landslide_cli.imagery.raster.georeference import Georeference
from landslide_cli.profile import Profile, load_profile
from landslide_cli.stages.show.landslides import tables_of
from tests.conftest import RecordingReporter
from tests.imagery.vector.shapes import UTM
from tests.stages.show.report.cases import add_map, page_of, speckled

# What a page must not be able to break.
NASTY = "</script><b>&\"'"


def test_page_of_a_map_needs_no_network(profile: Profile, tmp_path: Path) -> None:
    page = page_of(profile, add_map(tmp_path, "valley", speckled(1, 64, 16)), tmp_path / "show")
    for tag, attributes in page.tags:
        for key in ("src", "href"):
            target = attributes.get(key, "data:")
            assert target.startswith(("data:", "#")), (tag, target)
    (policy,) = (m["content"] for m in page.of("meta") if "http-equiv" in m)
    assert policy.startswith("default-src 'none'")
    assert page.of("html")[0]["lang"] == "en"
    # Every link inside leads somewhere.
    anchors = {attributes["id"] for _, attributes in page.tags if "id" in attributes}
    assert {a["href"][1:] for a in page.of("a")} <= anchors


def test_page_of_a_map_has_its_scene_with_all_that_a_map_needs(
    profile: Profile, tmp_path: Path
) -> None:
    mask = speckled(2, 96, 25)
    page = page_of(profile, add_map(tmp_path, "valley", mask), tmp_path / "show")
    assert "WGS 84 / UTM zone 48N (EPSG:32648)" in page.words("dd")
    assert len(page.of("path", "outline")) == 25
    assert {"500,010", "500,020"} <= set(page.words("text").splitlines())
    assert page.of("g", "bar")
    assert page.of("g", "north")
    (data,) = [text for tag, text in page.texts if tag == "script" and text.startswith("{")]
    viewer = json.loads(data)
    assert (viewer["width"], viewer["height"], viewer["gsd"]) == (96, 96, 0.5)
    assert len(viewer["outlines"]) == 25
    xs = [x for outline in viewer["outlines"] for part in outline["parts"] for x, _ in part[0]]
    assert min(xs) == np.flatnonzero(mask.any(axis=0))[0]
    assert max(xs) == np.flatnonzero(mask.any(axis=0))[-1] + 1
    # Everything that moves can be reached and is named.
    for control in page.of("input") + page.of("div", "canvas") + page.of("svg"):
        assert control["aria-label"]
    assert all(image["alt"] for image in page.of("img"))


def test_landslides_are_counted_and_the_largest_lead_to_the_map(
    profile: Profile, tmp_path: Path
) -> None:
    page = page_of(profile, add_map(tmp_path, "valley", speckled(3, 128, 36)), tmp_path / "show")
    assert ("dd", "36") in page.texts
    rows = [
        attributes for tag, attributes in page.tags if tag == "tr" and "data-scene" in attributes
    ]
    assert len(rows) == 20
    assert {row["data-scene"] for row in rows} == {"scene-1"}
    assert len(page.of("td", "thumb")) == 20
    areas = [float(a["data-value"]) for a in page.of("td", "number") if "data-value" in a][::3]
    assert areas == sorted(areas, reverse=True)
    bounds = np.array([row["data-bounds"].split() for row in rows], float)
    sizes = (bounds[:, 2] - bounds[:, 0]) * (bounds[:, 3] - bounds[:, 1]) * 0.25
    np.testing.assert_allclose(sizes, areas, rtol=0.01)
    assert "3f2a" in page.words("dd")


def test_scenes_share_the_page_and_repeated_landslides_count_once(
    profile: Profile, tmp_path: Path
) -> None:
    add_map(tmp_path, "first", speckled(4, 64, 16))
    page = page_of(
        profile, add_map(tmp_path, "second", speckled(4, 64, 16)), tmp_path / "show", limit=1
    )
    assert ("dd", "16") in page.texts
    assert len(page.of("article", "scene")) == 1
    assert "16 polygons that show a landslide of an overlapping scene" in page.words("p")
    assert "Not drawn, as their landslides cover less: second." in page.words("p")
    assert "left out: 16 that overlapping scenes repeat" in page.words("p")


def test_text_of_files_is_never_taken_for_html(profile: Profile, tmp_path: Path) -> None:
    warning = f"the scene is {NASTY}"
    maps = add_map(tmp_path, "a&b<i>", speckled(5, 64, 9), warnings=(warning,))
    page = page_of(profile, maps, tmp_path / "show")
    assert warning in " ".join(text for tag, text in page.texts if tag == "li")
    assert "a&b<i>" in page.words("h3")
    assert not page.of("i")
    assert len([text for tag, text in page.texts if tag == "script"]) == 3


def test_scene_without_georeference_is_measured_in_pixels(profile: Profile, tmp_path: Path) -> None:
    maps = add_map(tmp_path, "picture", speckled(6, 64, 9), Georeference())
    page = page_of(profile, maps, tmp_path / "show")
    assert "none: coordinates are pixels" in page.words("dd")
    assert not page.of("g", "bar")
    assert not page.of("g", "north")
    assert "areas in pixels" in page.words("caption")


def test_polygons_of_geojson_are_drawn_where_those_of_a_geopackage_are(
    profile: Profile, tmp_path: Path
) -> None:
    mask = speckled(7, 64, 9)
    add_map(tmp_path, "json", mask, suffix=".geojson")
    elsewhere = Georeference(UTM.crs, UTM.transform @ Affine.translation(1000, 0))
    page = page_of(profile, add_map(tmp_path, "gpkg", mask, elsewhere), tmp_path / "show")
    scenes = [json.loads(text) for tag, text in page.texts if tag == "script" and text[0] == "{"]
    first, second = (
        [[np.array(ring) for ring in part] for o in scene["outlines"] for part in o["parts"]]
        for scene in scenes
    )
    assert len(first) == len(second) == 9
    for own, other in zip(first, second, strict=True):
        np.testing.assert_allclose(np.sort(own[0], axis=0), np.sort(other[0], axis=0), atol=0.3)


def test_scene_whose_image_has_gone_is_shown_by_its_overlay(
    profile: Profile, tmp_path: Path
) -> None:
    maps = add_map(tmp_path, "gone", speckled(8, 64, 9))
    (tmp_path / "gone.tif").unlink()
    page = page_of(profile, maps, tmp_path / "show")
    assert "The image is no longer there" in page.words("p")
    assert not [image for image in page.of("img") if "surroundings" in image["alt"]]


def test_distribution_of_many_landslides_is_fitted_and_of_few_it_is_not(
    profile: Profile, tmp_path: Path
) -> None:
    few = page_of(profile, add_map(tmp_path, "few", speckled(9, 64, 16)), tmp_path / "few")
    assert "16 whole landslides. Fewer than 50 tell no distribution." in few.words("p")
    assert not few.of("figure")
    many = page_of(profile, add_map(tmp_path, "many", speckled(10, 256, 64)), tmp_path / "many")
    assert "power law, tail (Clauset et al. 2009)" in many.words("th")
    assert len(many.of("figure")) == 1


def test_page_stays_small_however_large_the_scene(profile: Profile, tmp_path: Path) -> None:
    maps = add_map(tmp_path, "large", speckled(11, 64, 9))
    # A picture that JPEG cannot compress, of more than 20 MB at its best.
    noise = np.random.default_rng(0).integers(0, 256, (3, 4200, 4200), np.uint8)
    header = {"driver": "GTiff", "width": 4200, "height": 4200, "count": 3, "dtype": "uint8"}
    with rasterio.open(tmp_path / "large.tif", "w", **header) as dataset:
        dataset.write(noise)
    page_of(profile, maps, tmp_path / "show")
    assert (tmp_path / "show" / "report.html").stat().st_size < 20e6


def test_a_map_of_the_packaged_model_quotes_its_card(
    write_profile: Callable[[str], Path], tmp_path: Path
) -> None:
    profile = load_profile(write_profile(f"extends: landslide\nrun: '{tmp_path / 'run'}'\n"))
    page = page_of(profile, add_map(tmp_path, "valley", speckled(12, 64, 9)), tmp_path / "show")
    assert "Where it fails" in page.words("h3")
    assert re.search(r"0\.\d+ \(0\.\d+ to 0\.\d+\)", page.words("td"))
    assert "**" not in page.words("p", "td", "th")


def test_damaged_polygons_are_warned_of(
    profile: Profile, reporter: RecordingReporter, tmp_path: Path
) -> None:
    maps = add_map(tmp_path, "valley", speckled(13, 64, 9))
    (maps / "valley_landslides.gpkg").write_text("no database")
    assert tables_of(maps, "landslides", reporter) == {}
    page = page_of(profile, maps, tmp_path / "show")
    assert page.of("article", "scene")
    assert any("valley_landslides.gpkg: cannot be read" in text for text in reporter.warnings)
