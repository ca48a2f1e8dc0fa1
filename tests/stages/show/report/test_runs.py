"""What the page of the report says of a run."""

from collections.abc import Callable
from pathlib import Path

from landslide_cli.documents import write_json
from landslide_cli.profile import Profile, load_profile
from landslide_cli.runs.files import EVALUATION
from landslide_cli.stages.show.report.runs import expectation_of, run_part
from tests.stages.show.report.cases import page_of


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
