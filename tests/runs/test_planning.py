"""How scenes are mapped is chosen once: engine, precision and windows."""

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from landslide_cli.core.tiling.layout import LARGEST
from landslide_cli.errors import DataError, ModelError, UsageError
from landslide_cli.profile import Profile
from landslide_cli.reporting import SilentReporter
from landslide_cli.runs import planning
from landslide_cli.runs.engines import BatchShape, Precision
from landslide_cli.runs.files import PRECISION
from landslide_cli.runs.plan import Plan
from landslide_cli.runs.planning import load_engine, make_plan
from landslide_cli.runs.precision import MOST_CHANGED
from landslide_cli.runs.run import find_run
from landslide_cli.stages.infer import infer_tiled
from tests.models import untie

Bright = Callable[..., Profile]
Write = Callable[..., Path]
WithInfer = Callable[..., Profile]


@pytest.fixture(autouse=True)
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planning, "may_have_gpu", lambda: False)


@pytest.fixture
def infer(trained: Profile) -> WithInfer:
    """The trained run's profile with other settings of `infer`, in float32."""

    def changed(**changes: Any) -> Profile:
        settings = {"precision": "float32"} | changes
        return trained.model_copy(update={"infer": trained.infer.model_copy(update=settings)})

    return changed


def plan_for(profile: Profile, scenes: Sequence[Path] = (), reporter: Any = None) -> Plan:
    plan, _ = make_plan(profile, find_run(profile), scenes, reporter or SilentReporter())
    return plan


class FakeEngine:
    """A model that is dark left of a column, which bfloat16 may move."""

    bytes_per_pixel = 100.0
    int8_form = None

    def __init__(self, moved: int = 0, able: bool = True) -> None:
        self._moved, self._able = moved, able
        self.calls: list[tuple[BatchShape, Precision]] = []

    def prefers(self) -> Sequence[Precision]:
        return ("bfloat16", "float32") if self._able else ("float32",)

    def compiled(
        self, shape: BatchShape, precision: Precision
    ) -> Callable[[NDArray[np.uint8]], NDArray[np.float32]]:
        self.calls.append((shape, precision))
        edge = 20 + (self._moved if precision == "bfloat16" else 0)

        def predict(windows: NDArray[np.uint8]) -> NDArray[np.float32]:
            answer = np.zeros((*windows.shape[:3], 1), np.float32)
            answer[:, :, edge:] = 1.0
            return answer

        return predict


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Callable[..., FakeEngine]:
    """Have a fake engine loaded."""

    def put(**options: Any) -> FakeEngine:
        engine = FakeEngine(**options)
        monkeypatch.setattr(planning, "load_engine", lambda *arguments: engine)
        return engine

    return put


@pytest.fixture
def fresh(bright: Bright, bright_folder: Path, tmp_path: Path) -> Bright:
    """The bright model's profile, with a copy of the run in which nothing is measured yet."""
    shutil.copytree(bright_folder / "run", tmp_path / "fresh")
    (tmp_path / "fresh" / PRECISION).unlink(missing_ok=True)
    return lambda *overrides: bright(f"run={tmp_path / 'fresh'}", *overrides)


def test_auto_takes_bfloat16_where_the_processor_has_it_and_it_changes_little(
    fresh: Bright, plant: Write, fake: Callable[..., FakeEngine]
) -> None:
    engine = fake()
    plan = plan_for(fresh("infer.precision=auto"), [plant("a.tif", (200, 200))])
    assert (plan.precision, plan.changed) == ("bfloat16", 0.0)
    # As large as the training's tiles.
    assert {shape for shape, _ in engine.calls} == {BatchShape(1, 64, 64)}


@pytest.mark.parametrize(("moved", "precision"), [(0, "bfloat16"), (1, "float32")])
def test_auto_keeps_float32_where_bfloat16_changes_too_much(
    fresh: Bright,
    plant: Write,
    fake: Callable[..., FakeEngine],
    moved: int,
    precision: str,
) -> None:
    fake(moved=moved)
    plan = plan_for(fresh("infer.precision=auto"), [plant("a.tif", (64, 64))])
    assert plan.precision == precision
    assert plan.changed == pytest.approx(moved / 64)
    assert moved == 0 or MOST_CHANGED < 1 / 64


def test_the_measured_change_is_stored_with_the_run_and_decides_from_then_on(
    fresh: Bright, plant: Write, fake: Callable[..., FakeEngine]
) -> None:
    fake(moved=1)
    profile = fresh("infer.precision=auto")
    first = plan_for(profile, [plant("a.tif", (64, 64))])
    stored = json.loads((profile.run_folder / PRECISION).read_text(encoding="utf-8"))
    assert stored["openvino"] == {"changed": first.changed, "windows": 1}
    engine = fake(moved=0)
    assert plan_for(profile, [plant("b.tif")]) == first
    assert engine.calls == []


def test_the_change_of_another_model_is_measured_anew(
    fresh: Bright, plant: Write, fake: Callable[..., FakeEngine], save_bright: Callable[..., None]
) -> None:
    fake(moved=1)
    profile = fresh("infer.precision=auto")
    plan_for(profile, [plant("a.tif")])
    save_bright(profile.run_folder / "model.keras", middle=100.0)
    fake(moved=0)
    plan = plan_for(profile, [plant("a.tif")])
    assert (plan.precision, plan.changed) == ("bfloat16", 0.0)


@pytest.mark.parametrize("content", ["", "[]", '{"model":'])
def test_a_damaged_measurement_is_repeated(
    fresh: Bright, plant: Write, fake: Callable[..., FakeEngine], content: str
) -> None:
    fake(moved=0)
    profile = fresh("infer.precision=auto")
    (profile.run_folder / PRECISION).write_text(content, encoding="utf-8")
    assert plan_for(profile, [plant("a.tif")]).changed == 0.0


def test_auto_does_not_compare_where_the_processor_has_no_bfloat16(
    fresh: Bright, plant: Write, fake: Callable[..., FakeEngine]
) -> None:
    engine = fake(able=False)
    plan = plan_for(fresh("infer.precision=auto"), [plant("a.tif")])
    assert (plan.precision, plan.changed) == ("float32", None)
    assert engine.calls == []


def test_float32_is_not_compared_and_bfloat16_is_measured(
    fresh: Bright, plant: Write, fake: Callable[..., FakeEngine]
) -> None:
    engine = fake(moved=3)
    scenes = [plant("a.tif")]
    plan = plan_for(fresh("infer.precision=float32"), scenes)
    assert (plan.precision, plan.changed) == ("float32", None)
    assert engine.calls == []
    plan = plan_for(fresh("infer.precision=bfloat16"), scenes)
    assert plan.precision == "bfloat16"
    assert plan.changed == pytest.approx(3 / 64)


def test_precisions_are_compared_on_the_first_scene_that_has_data(
    fresh: Bright, plant: Write, write_raster: Write, fake: Callable[..., FakeEngine]
) -> None:
    fake(moved=1)
    bands = plant("bands.tif", bands=2, photometric="minisblack")
    empty = write_raster("empty.tif", np.zeros((90, 90, 3), np.uint8), nodata=0)
    scene = plant("scene.tif")
    profile = fresh("infer.precision=auto")
    nothing = plan_for(profile, [bands, empty])
    assert (nothing.precision, nothing.changed) == ("float32", None)
    assert plan_for(fresh("infer.precision=bfloat16"), [empty]).precision == "bfloat16"
    assert plan_for(profile, [bands, empty, scene]).changed == pytest.approx(1 / 64)


@pytest.mark.parametrize("engine", ["openvino", "tensorflow"])
def test_measured_precision_stands_in_the_result_on_any_processor(
    infer: WithInfer, tmp_path: Path, engine: str
) -> None:
    profile = infer(engine=engine, precision="auto")
    result = infer_tiled(profile, output=tmp_path / "maps")
    document = result.document()
    assert document["precision"] in ("float32", "bfloat16")
    if document["precision"] == "bfloat16":
        assert document["changed"] < MOST_CHANGED
    record = json.loads((tmp_path / "maps" / "infer.json").read_text(encoding="utf-8"))
    for key in ("engine", "precision", "changed", "tile", "batch", "threads"):
        assert record["plan"][key] == document[key]


def test_plan_is_kept_for_the_runs_that_go_on(
    infer: WithInfer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    maps = tmp_path / "maps"
    first = infer_tiled(infer(), output=maps, limit=1)

    def planned(*arguments: object) -> None:
        raise AssertionError("there is a plan")

    with monkeypatch.context() as patch:
        patch.setattr("landslide_cli.runs.planning.make_plan", planned)
        second = infer_tiled(infer(memory=0.001), output=maps)
        assert second.plan == first.plan
        assert [scene.unchanged for scene in second.scenes] == [True, False]
        with pytest.raises(AssertionError, match="there is a plan"):
            infer_tiled(infer(tta="flips"), output=maps)


def test_auto_windows_fit_the_memory_and_the_model(infer: WithInfer) -> None:
    run = find_run(infer())
    engine = load_engine("openvino", run, 1, SilentReporter())
    sides = []
    for memory in (0.001, 0.004, 0.03):
        plan = plan_for(infer(tile="auto", memory=memory))
        assert plan.tile is not None
        assert plan.fitted
        assert plan.tile % 4 == 0
        assert plan.tile**2 * engine.bytes_per_pixel <= memory * 1e9
        assert (plan.tile + 4) ** 2 * engine.bytes_per_pixel > memory * 1e9
        sides.append(plan.tile)
    assert sides == sorted(set(sides))
    assert plan_for(infer(tile="auto", memory=1e6)).tile == LARGEST


def test_auto_windows_are_smaller_the_more_of_them_a_call_has(infer: WithInfer) -> None:
    single, four = (
        plan_for(infer(tile="auto", memory=0.02, batch=batch)).tile or 0 for batch in (1, 4)
    )
    assert four == pytest.approx(single / 2, abs=4)


def test_free_memory_bounds_the_windows_unasked(
    infer: WithInfer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planning, "free_memory", lambda: 4 * 10**7)
    free = plan_for(infer(tile="auto"))
    assert free.tile == plan_for(infer(tile="auto", memory=0.01)).tile


def test_overlap_beyond_what_the_memory_allows_is_said(infer: WithInfer, tmp_path: Path) -> None:
    profile = infer(tile="auto", memory=0.001, overlap=512)
    with pytest.raises(UsageError, match=r"infer\.overlap is 512.*raise infer\.memory"):
        infer_tiled(profile, output=tmp_path / "maps")
    assert not (tmp_path / "maps").exists()


@pytest.mark.parametrize(
    ("tile", "planned", "windows"), [("whole", None, 1), (32, 32, 9), ("auto", LARGEST, 1)]
)
def test_windows_are_as_asked_for(
    infer: WithInfer, tmp_path: Path, reporter: Any, tile: Any, planned: int | None, windows: int
) -> None:
    profile = infer(tile=tile)
    result = infer_tiled(profile, output=tmp_path / "maps", limit=1, reporter=reporter)
    assert (result.plan.tile, result.plan.fitted) == (planned, tile == "auto")
    assert reporter.advances == windows
    shown = {row[0]: row[1] for row in result.tables()[-1].rows}["windows"]
    assert shown == ("whole scenes" if planned is None else f"{planned} pixels") + (
        " at most" if tile == "auto" else ""
    )


@pytest.mark.parametrize("engine", ["openvino", "tensorflow"])
def test_engine_is_the_one_asked_for(infer: WithInfer, engine: str) -> None:
    assert plan_for(infer(engine=engine)).engine == engine


def test_a_processor_gets_openvino_unasked(infer: WithInfer, reporter: Any) -> None:
    assert plan_for(infer(), reporter=reporter).engine == "openvino"
    assert reporter.warnings == []


def test_tensorflow_runs_what_openvino_cannot(
    infer: WithInfer, tmp_path: Path, reporter: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*arguments: object) -> Path:
        raise ModelError("model.keras: cannot be converted for OpenVINO (odd layer)")

    monkeypatch.setattr(planning, "converted", refused)
    result = infer_tiled(infer(), output=tmp_path / "maps", reporter=reporter)
    assert result.plan.engine == "tensorflow"
    assert len(result.scenes) == 2
    (warning,) = reporter.warnings
    assert warning.startswith("TensorFlow runs the model")
    assert "odd layer" in warning
    with pytest.raises(ModelError, match="odd layer"):
        infer_tiled(infer(engine="openvino"), output=tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_missing_openvino_is_said(
    infer: WithInfer, reporter: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing() -> None:
        raise ImportError("no module named openvino")

    monkeypatch.setattr(planning, "import_openvino", missing)
    assert plan_for(infer(), reporter=reporter).engine == "tensorflow"
    assert "cannot be imported" in reporter.warnings[0]
    with pytest.raises(ModelError, match=r"infer\.engine=tensorflow"):
        plan_for(infer(engine="openvino"))


@pytest.mark.parametrize("engine", ["auto", "openvino", "tensorflow"])
def test_model_for_other_bands_is_refused_in_the_same_words(
    infer: WithInfer, reporter: Any, engine: str
) -> None:
    profile = infer(engine=engine).model_copy(update={"bands": 5})
    words = "expects 3 bands and gives 2 classes; the profile has 5 and 2"
    with pytest.raises(ModelError, match=words):
        plan_for(profile, reporter=reporter)
    assert reporter.warnings == []


@pytest.mark.parametrize("engine", ["auto", "tensorflow"])
def test_damaged_model_is_named_before_anything_is_written(
    infer: WithInfer, trained: Profile, tmp_path: Path, engine: str
) -> None:
    (trained.run / "model.keras").write_bytes(b"no model")
    with pytest.raises(DataError, match=r"model\.keras: is not the file that run\.json describes"):
        infer_tiled(infer(engine=engine, tile=32), output=tmp_path / "maps")
    untie(trained.run)
    with pytest.raises(ModelError, match=r"model\.keras: is not a Keras model"):
        infer_tiled(infer(engine=engine, tile=32), output=tmp_path / "maps")
    assert not (tmp_path / "maps").exists()
