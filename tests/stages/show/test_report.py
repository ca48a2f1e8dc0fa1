"""The report: what its page says of a map and of a run, read as a browser would."""

import json
import re
from collections.abc import Callable
from dataclasses import asdict
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine

from landslide_cli.core.palette import Mask
from landslide_cli.dataset.files import MAPS_RECORD
from landslide_cli.documents import write_json
from landslide_cli.imagery.provenance import Provenance
from landslide_cli.imagery.raster.georeference import Georeference
from landslide_cli.imagery.raster.images import write_image
from landslide_cli.imagery.vector.attributes import table_of
from landslide_cli.imagery.vector.polygon_files import write_polygons
from landslide_cli.profile import Profile, load_profile
from landslide_cli.reporting import SilentReporter
from landslide_cli.runs.files import EVALUATION
from landslide_cli.runs.map_outputs import Drawing, Outputs
from landslide_cli.runs.map_record import (
    FORMAT,
    ClassTotal,
    FinishedScene,
    Identity,
    MapRecord,
    SceneSummary,
    StoredScene,
)
from landslide_cli.runs.plan import Plan
from landslide_cli.runs.scales import SceneScale
from landslide_cli.stages.show import show
from landslide_cli.stages.show.landslides import distributions, landslides_of, tables_of
from landslide_cli.stages.show.report import MapContents, write_report
from landslide_cli.stages.show.report.runs import expectation_of, run_part
from tests.conftest import RecordingReporter
from tests.imagery.vector.shapes import UTM, landslides_in

ProfileWith = Callable[..., Profile]

PLAN = Plan("openvino", "float32", None, None, False, 16, 4, 1, 2)

# What stands for the model's fingerprint, and what a page must not be able to break.
MODEL, NASTY = "3f2a", "</script><b>&\"'"


class Page(HTMLParser):
    """The elements of a page: their tags with attributes, and the text of each."""

    def __init__(self, path: Path) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.texts: list[tuple[str, str]] = []
        self._open: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in ("meta", "img", "input"):
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.texts.append((self._open[-1] if self._open else "", data.strip()))

    def of(self, tag: str, kind: str = "") -> list[dict[str, str]]:
        """The attributes of the elements of a tag, of a class if given."""
        return [
            attributes
            for name, attributes in self.tags
            if name == tag and kind in ("", *attributes.get("class", "").split())
        ]

    def words(self, *tags: str) -> str:
        return "\n".join(text for tag, text in self.texts if not tags or tag in tags)


def speckled(seed: int, side: int, count: int) -> Mask:
    """Separate rectangles of many sizes."""
    rng = np.random.default_rng(seed)
    mask = np.zeros((side, side), np.uint8)
    step = side // int(np.ceil(np.sqrt(count)))
    for index in range(count):
        top, left = np.array(divmod(index, side // step)) * step + 1
        height, width = rng.integers(1, step - 1, 2)
        mask[top : top + height, left : left + width] = 1
    return mask


@pytest.fixture
def add_map(tmp_path: Path) -> Callable[..., Path]:
    """Add a scene to a folder of maps, as `infer-tiled` leaves it, without any model."""
    folder, scenes = tmp_path / "maps", dict[str, StoredScene]()
    folder.mkdir()

    def add(
        name: str,
        mask: Mask,
        place: Georeference = UTM,
        warnings: tuple[str, ...] = (),
        suffix: str = ".gpkg",
    ) -> Path:
        rows, cols = mask.shape
        is_placed = place.is_known
        provenance = Provenance(name, 0.5 if is_placed else None, MODEL, "2025-11-30", 0.5)
        image = tmp_path / f"{name}.tif"
        header = {"driver": "GTiff", "width": cols, "height": rows, "dtype": "uint8"}
        if is_placed:
            header |= {"crs": place.crs, "transform": place.transform}
        with rasterio.open(image, "w", count=3, **header) as dataset:
            dataset.write(np.repeat(80 + 90 * mask[None], 3, axis=0))
        write_image(folder / f"{name}_overlay.jpg", np.repeat(90 * mask[..., None], 3, axis=2))
        with rasterio.open(folder / f"{name}_mask.tif", "w", count=1, **header) as dataset:
            dataset.write(mask, 1)
        landslides = landslides_in(mask, place)
        table = table_of(landslides, place, provenance)
        write_polygons(folder / f"{name}_landslides{suffix}", table, provenance)
        share = float(mask.mean())
        area = sum(landslide.area for landslide in landslides)
        summary = SceneSummary(
            files={},
            class_shares={"background": 1 - share, "landslide": share},
            pixels=mask.size,
            totals=[ClassTotal("landslide", len(landslides), area, share)],
            unit="m2" if is_placed else "px",
            gsd=provenance.gsd,
            mapped=provenance.mapped,
        )
        scale = SceneScale((0.25, 0.25), 2.0, warnings)
        scene = FinishedScene(name, image, cols, rows, scale, summary, Outputs(Drawing(0.5)))
        scenes[name] = StoredScene.of(scene, "", Identity(str(image), {}), {})
        record = MapRecord(FORMAT, {"model": MODEL}, PLAN, [], scenes)
        write_json(folder / MAPS_RECORD, asdict(record))
        return folder

    return add


def page_of(profile: Profile, maps: Path, folder: Path, limit: int | None = None) -> Page:
    """Write the page of a folder of maps without the pictures beside it, and return it."""
    infer = profile.infer.model_copy(update={"output": maps})
    profile = profile.model_copy(update={"infer": infer})
    reporter = SilentReporter()
    tables = tables_of(maps, profile.palette.polygons, reporter)
    groups = landslides_of(tables)
    contents = MapContents(tables, groups, distributions(groups))
    path, run = folder / "report.html", run_part(profile, None, [])
    assert write_report(profile, path, contents, run, limit, reporter) == [path]
    return Page(path)


@pytest.fixture
def profile(profile_with: ProfileWith) -> Profile:
    return profile_with()


def test_page_of_a_map_needs_no_network(
    profile: Profile, add_map: Callable[..., Path], tmp_path: Path
) -> None:
    page = page_of(profile, add_map("valley", speckled(1, 64, 16)), tmp_path / "show")
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
    profile: Profile, add_map: Callable[..., Path], tmp_path: Path
) -> None:
    mask = speckled(2, 96, 25)
    page = page_of(profile, add_map("valley", mask), tmp_path / "show")
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
    profile: Profile, add_map: Callable[..., Path], tmp_path: Path
) -> None:
    page = page_of(profile, add_map("valley", speckled(3, 128, 36)), tmp_path / "show")
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
    profile: Profile, add_map: Callable[..., Path], tmp_path: Path
) -> None:
    add_map("first", speckled(4, 64, 16))
    page = page_of(profile, add_map("second", speckled(4, 64, 16)), tmp_path / "show", limit=1)
    assert ("dd", "16") in page.texts
    assert len(page.of("article", "scene")) == 1
    assert "16 polygons that show a landslide of an overlapping scene" in page.words("p")
    assert "Not drawn, as their landslides cover less: second." in page.words("p")
    assert "left out: 16 that overlapping scenes repeat" in page.words("p")


def test_text_of_files_is_never_taken_for_html(
    profile: Profile, add_map: Callable[..., Path], tmp_path: Path
) -> None:
    warning = f"the scene is {NASTY}"
    maps = add_map("a&b<i>", speckled(5, 64, 9), warnings=(warning,))
    page = page_of(profile, maps, tmp_path / "show")
    assert warning in " ".join(text for tag, text in page.texts if tag == "li")
    assert "a&b<i>" in page.words("h3")
    assert not page.of("i")
    assert len([text for tag, text in page.texts if tag == "script"]) == 3


def test_scene_without_georeference_is_measured_in_pixels(
    profile: Profile, add_map: Callable[..., Path], tmp_path: Path
) -> None:
    maps = add_map("picture", speckled(6, 64, 9), Georeference())
    page = page_of(profile, maps, tmp_path / "show")
    assert "none: coordinates are pixels" in page.words("dd")
    assert not page.of("g", "bar")
    assert not page.of("g", "north")
    assert "areas in pixels" in page.words("caption")


def test_polygons_of_geojson_are_drawn_where_those_of_a_geopackage_are(
    profile: Profile, add_map: Callable[..., Path], tmp_path: Path
) -> None:
    mask = speckled(7, 64, 9)
    add_map("json", mask, suffix=".geojson")
    elsewhere = Georeference(UTM.crs, UTM.transform @ Affine.translation(1000, 0))
    page = page_of(profile, add_map("gpkg", mask, elsewhere), tmp_path / "show")
    scenes = [json.loads(text) for tag, text in page.texts if tag == "script" and text[0] == "{"]
    first, second = (
        [[np.array(ring) for ring in part] for o in scene["outlines"] for part in o["parts"]]
        for scene in scenes
    )
    assert len(first) == len(second) == 9
    for own, other in zip(first, second, strict=True):
        np.testing.assert_allclose(np.sort(own[0], axis=0), np.sort(other[0], axis=0), atol=0.3)


def test_scene_whose_image_has_gone_is_shown_by_its_overlay(
    profile: Profile, add_map: Callable[..., Path], tmp_path: Path
) -> None:
    maps = add_map("gone", speckled(8, 64, 9))
    (tmp_path / "gone.tif").unlink()
    page = page_of(profile, maps, tmp_path / "show")
    assert "The image is no longer there" in page.words("p")
    assert not [image for image in page.of("img") if "surroundings" in image["alt"]]


def test_distribution_of_many_landslides_is_fitted_and_of_few_it_is_not(
    profile: Profile, add_map: Callable[..., Path], tmp_path: Path
) -> None:
    few = page_of(profile, add_map("few", speckled(9, 64, 16)), tmp_path / "few")
    assert "16 whole landslides. Fewer than 50 tell no distribution." in few.words("p")
    assert not few.of("figure")
    many = page_of(profile, add_map("many", speckled(10, 256, 64)), tmp_path / "many")
    assert "power law, tail (Clauset et al. 2009)" in many.words("th")
    assert len(many.of("figure")) == 1


def test_page_stays_small_however_large_the_scene(
    profile: Profile, add_map: Callable[..., Path], tmp_path: Path
) -> None:
    maps = add_map("large", speckled(11, 64, 9))
    # A picture that JPEG cannot compress, of more than 20 MB at its best.
    noise = np.random.default_rng(0).integers(0, 256, (3, 4200, 4200), np.uint8)
    header = {"driver": "GTiff", "width": 4200, "height": 4200, "count": 3, "dtype": "uint8"}
    with rasterio.open(tmp_path / "large.tif", "w", **header) as dataset:
        dataset.write(noise)
    page_of(profile, maps, tmp_path / "show")
    assert (tmp_path / "show" / "report.html").stat().st_size < 20e6


def evaluation(**others: object) -> dict[str, object]:
    scores = {"dice": 0.8, "iou": 0.667, "precision": 0.75, "recall": 0.857}
    report = {
        **scores,
        "pixels": 1000,
        "mean": None,
        "intervals": {"iou": [0.5, 0.7]},
        "boundary": None,
        "objects": None,
        "area": None,
    }
    bins = [{"probability": p, "frequency": p * p, "pixels": 10} for p in (0.1, 0.5, 0.9)]
    return {
        "background": report | {"pixels": 9000, "intervals": {}},
        "landslide": report,
        "part": "test",
        "units": "scenes",
        "scenes": 12,
        "groups": 9,
        "confusion": {"classes": ["background", "landslide"], "pixels": [[8700, 300], [143, 857]]},
        "calibration": {
            "expected_calibration_error": 0.02,
            "interval": None,
            "average_precision": 0.9,
            "reliability": bins,
        },
        "worst": [],
        "warnings": ["the scores will be optimistic"],
        "comparison": None,
        **others,
    }


def compared(**others: object) -> dict[str, object]:
    difference = {"this": 0.667, "other": 0.6, "difference": 0.067, "interval": [-0.01, 0.1]}
    return {
        "against": "runs/before",
        "scores": {"iou": difference | {"larger_than_chance": False}},
        "verdict": "the landslide IoU differs by +0.067, not larger than chance",
        **others,
    }


def test_page_of_a_run_has_its_scores_and_the_comparison(profile: Profile, tmp_path: Path) -> None:
    profile.run.mkdir()
    # As version 0.1.0 wrote it.
    write_json(profile.run / EVALUATION, evaluation(comparison=compared()))
    page = page_of(profile, tmp_path / "no maps", tmp_path / "show")
    assert page.words("h1") == "Landslide model: run"
    cells = page.words("td")
    for text in ("0.667", "0.500 to 0.700", "8,700", "+0.067", "-0.010 to +0.100"):
        assert text in cells
    assert "12 scenes of test in 9 groups" in page.words("p")
    assert "Comparison with runs/before" in page.words("h2")
    assert "the scores will be optimistic" in page.words("li")
    assert any("probability" in image["alt"] for image in page.of("img"))
    assert "Map" not in page.words("h2")
    assert "Scores of the other run" not in page.words("h3")


def test_page_of_a_comparison_has_both_runs(profile: Profile, tmp_path: Path) -> None:
    profile.run.mkdir()
    other = evaluation()
    scores = {"dice": 0.7, "iou": 0.6, "precision": 0.65, "recall": 0.76}
    other["landslide"] = {**other["landslide"], **scores, "intervals": {"iou": [0.41, 0.66]}}  # type: ignore[dict-item]
    scenes = [
        {"scene": "ridge", "fold": None, "this": 0.7, "other": 0.8, "difference": -0.1},
        *(
            {"scene": f"s{n}", "fold": 2, "this": 0.8, "other": 0.7, "difference": 0.1}
            for n in range(300)
        ),
    ]
    comparison = compared(other=other, scenes=scenes)
    write_json(profile.run / EVALUATION, evaluation(comparison=comparison))
    page = page_of(profile, tmp_path / "no maps", tmp_path / "show")
    assert "Scores of the other run" in page.words("h3")
    assert "0.410 to 0.660" in page.words("td")
    names = [text for tag, text in page.texts if tag == "th"]
    assert {"ridge", "s0, fold 2", "s299, fold 2"} <= set(names)
    assert "101 scenes of lesser differences are left out" in page.words("caption")
    assert "-0.100" in page.words("td")
    # The other run is no longer there: nothing is said of its training.
    assert "Training of the other run" not in page.words("h3")


def test_a_map_of_an_own_run_says_what_its_evaluation_makes_one_expect(profile: Profile) -> None:
    assert "has not been scored" in expectation_of(profile)
    profile.run.mkdir()
    write_json(profile.run / EVALUATION, evaluation())
    assert "IoU 0.667" in expectation_of(profile)
    assert "0.500 to 0.700" in expectation_of(profile)


def test_a_map_of_the_packaged_model_quotes_its_card(
    write_profile: Callable[[str], Path], add_map: Callable[..., Path], tmp_path: Path
) -> None:
    profile = load_profile(write_profile(f"extends: landslide\nrun: '{tmp_path / 'run'}'\n"))
    page = page_of(profile, add_map("valley", speckled(12, 64, 9)), tmp_path / "show")
    assert "Where it fails" in page.words("h3")
    assert re.search(r"0\.\d+ \(0\.\d+ to 0\.\d+\)", page.words("td"))
    assert "**" not in page.words("p", "td", "th")


def test_scenes_are_not_missed_where_the_packaged_model_has_mapped_and_none_were_prepared(
    add_map: Callable[..., Path], reporter: RecordingReporter, tmp_path: Path
) -> None:
    maps = add_map("valley", speckled(15, 64, 9))
    folders = [f"run={tmp_path / 'run'}", f"dataset={tmp_path / 'data'}", f"infer.output={maps}"]
    profile = load_profile(Path("landslide"), [*folders, f"source.images={tmp_path / 'none'}"])
    show(profile, output=tmp_path / "show", reporter=reporter)
    assert reporter.notes == []
    profile.parts_folder.mkdir(parents=True)
    show(profile, output=tmp_path / "show", reporter=reporter)
    assert any("no image found" in note for note in reporter.notes)


def test_damaged_polygons_are_warned_of(
    profile: Profile, add_map: Callable[..., Path], reporter: RecordingReporter, tmp_path: Path
) -> None:
    maps = add_map("valley", speckled(13, 64, 9))
    (maps / "valley_landslides.gpkg").write_text("no database")
    assert tables_of(maps, "landslides", reporter) == {}
    page = page_of(profile, maps, tmp_path / "show")
    assert page.of("article", "scene")
    assert any("valley_landslides.gpkg: cannot be read" in text for text in reporter.warnings)


def test_pictures_have_the_format_of_the_profile(
    profile: Profile, add_map: Callable[..., Path], tmp_path: Path
) -> None:
    looks = profile.show.model_copy(update={"format": "svg"})
    infer = profile.infer.model_copy(update={"output": add_map("valley", speckled(14, 64, 9))})
    result = show(
        profile.model_copy(update={"infer": infer, "show": looks}), output=tmp_path / "show"
    )
    names = ["maps.svg", "frequency_area_m2.svg", "frequency_area.json", "report.html"]
    assert [path.name for path in result.files] == names
    assert (tmp_path / "show" / "maps.svg").read_bytes().startswith(b"<?xml")
    numbers = json.loads((tmp_path / "show" / "frequency_area.json").read_text())["m2"]
    assert numbers["landslides"] + sum(numbers["left_out"].values()) == 9
    assert numbers["power_law"] is None


def test_scores_of_several_foreground_classes_are_told_apart(
    write_profile: Callable[[str], Path], tmp_path: Path
) -> None:
    names = ("background", "slide", "flow")
    classes = "".join(
        f"  - {{name: {name}, colour: [{index}, 0, 0]}}\n" for index, name in enumerate(names)
    )
    text = f"name: tiny\nrun: '{tmp_path / 'run'}'\nclasses:\n{classes}"
    profile = load_profile(write_profile(text))
    profile.run.mkdir()
    stored = evaluation()
    means = {
        "mean_dice": 0.75,
        "mean_iou": 0.6,
        "mean_intervals": {"iou": [0.5, 0.7]},
    }
    report = stored.pop("landslide")
    write_json(profile.run / EVALUATION, stored | means | {"slide": report, "flow": report})
    part = run_part(profile, None, [])
    assert part is not None
    assert part.scores.foreground[1] == ("IoU, mean of the classes", "0.600", "0.500 to 0.700")
    assert ("flow: IoU", "0.667", "0.500 to 0.700") in part.scores.foreground
    assert "slide: Dice 0.800" in expectation_of(profile)
