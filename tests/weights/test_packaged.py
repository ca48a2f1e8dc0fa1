"""The model in this package: maps right after installation, and is what trainings start from."""

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from landslide_cli.documents import SEAL, read_json, write_json
from landslide_cli.errors import ModelError
from landslide_cli.imagery.raster.images import write_image, write_mask
from landslide_cli.profile import Profile, load_profile
from landslide_cli.records import Record, check_file
from landslide_cli.runs.ancestry import document_of, learned_from
from landslide_cli.runs.files import MODEL, PACKAGED, PRECISION, RUN_RECORD, THRESHOLD
from landslide_cli.runs.keras_model import load_keras
from landslide_cli.runs.openvino_model import fingerprint_of
from landslide_cli.runs.openvino_parts import PARTS
from landslide_cli.runs.preprocessing import stored_preprocessing
from landslide_cli.runs.run import find_run
from landslide_cli.stages.evaluate import evaluate
from landslide_cli.stages.infer import infer_tiled
from landslide_cli.stages.infer.result import InferResult
from landslide_cli.stages.prepare import prepare
from landslide_cli.stages.split import split
from landslide_cli.stages.train import train
from tests.conftest import RecordingReporter
from tests.killing import weights_of as stored_weights_of
from tests.models import PALETTE, bright_square
from tools.package_model import package

Landslide = Callable[..., Profile]


def load_landslide(*overrides: str) -> Profile:
    """Load the packaged profile, as it is found in a folder that has no profile."""
    return load_profile(Path("configs/landslide.yaml"), overrides)


def write_scenes(folder: Path) -> None:
    for name in ("images", "masks"):
        (folder / "data" / name).mkdir(parents=True)
    for index in range(4):
        image, mask = bright_square(index, side=96)
        write_image(folder / "data" / "images" / f"s{index}.png", image)
        write_mask(folder / "data" / "masks" / f"s{index}.png", mask, PALETTE)


@pytest.fixture
def landslide(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Landslide:
    """Load the packaged profile in a folder with four scenes."""
    monkeypatch.chdir(tmp_path)
    write_scenes(tmp_path)
    return load_landslide


@dataclass(frozen=True)
class FirstMap:
    """What comes of mapping a scene right after installation, in a folder of its own."""

    folder: Path
    result: InferResult
    notes: list[str]


@pytest.fixture(scope="module")
def first_map(tmp_path_factory: pytest.TempPathFactory) -> FirstMap:
    folder, reporter = tmp_path_factory.mktemp("installed"), RecordingReporter()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        write_scenes(folder)
        result = infer_tiled(load_landslide(), ["data/images/s0.png"], reporter=reporter)
    return FirstMap(folder, result, reporter.notes)


@pytest.fixture
def converted_landslide(landslide: Landslide, first_map: FirstMap) -> Landslide:
    """Load the packaged profile where its model was converted before, which takes seconds."""
    packaged = Path("runs/landslide.packaged/openvino")
    shutil.copytree(first_map.folder / packaged, packaged)
    return landslide


def small(*overrides: str) -> list[str]:
    return [
        *("train.crop=32", "train.crops=4", "train.batch=2", "train.epochs=1", "prepare.gsd=0.5"),
        "prepare.workers=1",
        *("train.crop_scale=[1.0, 1.0]", "split.by=scene", "split.overlap.content=false"),
        # A step that takes less to build.
        *("train.optimizer=sgd", "train.weight_decay=0.0", "train.ema=null"),
        *("split.train=0.5", "split.valid=0.25", "split.test=0.25"),
        # To choose a threshold, TensorFlow needs no conversion first.
        *("infer.engine=tensorflow", "infer.precision=float32", *overrides),
    ]


def test_package_is_small_and_says_nothing_of_the_machine() -> None:
    files = [path for path in PACKAGED.parent.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 25e6
    record = (PACKAGED / RUN_RECORD).read_text(encoding="utf-8")
    assert '"/' not in record
    assert "hardware" not in record
    learned = json.loads(record)["result"]["learned"]
    assert len([name for name, *_ in learned if re.search(r"-Landslide\d+$", name)]) == 28
    assert 0 < sum(len(sketch) for *_, sketch in learned) < 20_000


@pytest.mark.parametrize("name", [RUN_RECORD, THRESHOLD, PRECISION])
def test_packaged_records_are_sealed(name: str) -> None:
    document = json.loads((PACKAGED / name).read_text(encoding="utf-8"))
    assert SEAL in document
    assert read_json(PACKAGED / name) == {k: v for k, v in document.items() if k != SEAL}


def test_packaged_record_describes_the_files_beside_it() -> None:
    record = Record.read(PACKAGED / RUN_RECORD)
    assert record is not None
    assert list(record.files) == [MODEL, THRESHOLD]
    for name in record.files:
        check_file(PACKAGED / name, PACKAGED / RUN_RECORD)
    assert (read_json(PACKAGED / PRECISION) or {})["model"] == record.files[MODEL]


def test_packaged_profile_prepares_scenes_as_the_packaged_model_learned_them(
    landslide: Landslide,
) -> None:
    learned = stored_preprocessing(PACKAGED, bands=3)
    prepare = landslide().prepare
    assert (prepare.gsd, prepare.standardize) == (learned.gsd, learned.standardized)


def test_packaged_model_knows_the_gsd_of_its_training() -> None:
    learned = stored_preprocessing(PACKAGED, bands=3)
    assert learned.gsd == 2.0
    assert learned.gsd_range is not None
    least, largest = learned.gsd_range
    assert 0.5 < least < 1.4
    assert 3.0 < largest < 5.0
    record = json.loads((PACKAGED / RUN_RECORD).read_text(encoding="utf-8"))
    assert "Gorkha 2015" in record["result"]["events"]


@pytest.mark.parametrize("name", ["landslide", "landslide.yaml", "configs/landslide.yaml"])
def test_packaged_profile_stands_in_where_there_is_no_such_file(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert load_profile(Path(name)).model.weights == "landslide"
    Path(name).parent.mkdir(exist_ok=True)
    Path(name).write_text("name: mine", encoding="utf-8")
    assert load_profile(Path(name)).name == "mine"


def test_scene_is_mapped_without_any_training(first_map: FirstMap) -> None:
    result = first_map.result
    assert result.folder == Path("runs/landslide.packaged/infer")
    assert (first_map.folder / result.scenes[0].mask).is_file()
    assert result.scale == stored_preprocessing(PACKAGED, bands=3).scale
    assert any("mapping with the packaged one" in note for note in first_map.notes)
    # The profile says what scenes of its source have where they are not georeferenced.
    assert result.scenes[0].scale.warnings == ()
    assert result.scenes[0].scale.model_gsd == pytest.approx(2.0)
    # A training finds its place free, and the package is as it was.
    assert not (first_map.folder / "runs/landslide").exists()
    assert not (PACKAGED / "openvino").exists()


def test_without_the_word_for_it_there_is_no_model(landslide: Landslide) -> None:
    with pytest.raises(ModelError, match="no trained model"):
        infer_tiled(landslide("model.weights=null"), ["data/images/s0.png"])


def test_training_starts_from_it_and_then_has_a_model_of_its_own(landslide: Landslide) -> None:
    profile = landslide(*small("train.learning_rate=1e-7"))
    prepare(profile)
    split(profile)
    train(profile)
    learned = stored_weights_of(PACKAGED)
    for name, values in stored_weights_of(profile.run).items():
        if values.ndim > 1:  # the others may be averages of what the layers have seen
            np.testing.assert_allclose(values, learned[name], atol=1e-4, err_msg=name)
    run = find_run(profile)
    assert (run.folder, run.is_packaged) == (profile.run, False)
    assert run.preprocessing.scale == 1.0


def test_scoring_it_on_scenes_it_has_seen_is_warned_of(
    converted_landslide: Landslide, reporter: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    profile = converted_landslide("evaluate.units=scenes", "evaluate.draws=100")
    evaluate(profile, limit=1, reporter=reporter)
    assert not any("was trained on" in warning for warning in reporter.warnings)
    known = tmp_path / "package"
    known.mkdir()
    for path in PACKAGED.iterdir():
        (known / path.name).write_bytes(path.read_bytes())
    record = read_json(known / RUN_RECORD) or {}
    learned = learned_from(profile, {"there": Path("data/images/s0.png")}, {})
    record["result"] |= document_of(learned, [])
    write_json(known / RUN_RECORD, record)
    for module in ("runs.ancestry", "stages.evaluate.leaks"):
        monkeypatch.setattr(f"landslide_cli.{module}.PACKAGED", known)
    result = evaluate(profile, limit=1, reporter=reporter)
    (warning,) = [text for text in reporter.warnings if "was trained on" in text]
    assert "model `landslide` was trained on ground of this scene, so" in warning
    assert warning in result.warnings
    assert result.headline().startswith("1 scene of test scored: ")
    assert result.tables()[0].title == "test: 1 scene in 1 group; intervals need 8 groups"
    written = read_json(result.files[0]) or {}
    assert written["warnings"] == result.warnings
    leak = {"run": "landslide", "model": "landslide", "shows": "there", "evidence": "file"}
    assert written["leaks"] == [{"scene": "s0", **leak}]


def test_packaging_halves_a_model_and_keeps_what_it_predicts(
    trained: Profile, tmp_path: Path
) -> None:
    whole_record = read_json(trained.run / RUN_RECORD)
    assert whole_record is not None
    whole_record["result"]["preprocessing"]["standardized"] = True
    write_json(trained.run / RUN_RECORD, whole_record)
    packed = tmp_path / "package"
    package(trained.run, packed)
    names = {path.name for path in packed.iterdir()}
    # Precisions are compared where the processor has bfloat16.
    assert names - {PRECISION} == {MODEL, PARTS, RUN_RECORD, THRESHOLD}
    whole, halved = load_keras(trained.run / MODEL), load_keras(packed / MODEL)
    image = bright_square(5, side=32)[0][None].astype(np.float32)
    np.testing.assert_allclose(np.asarray(halved(image)), np.asarray(whole(image)), atol=5e-3)
    assert (packed / MODEL).stat().st_size < 0.8 * (trained.run / MODEL).stat().st_size
    record = read_json(packed / RUN_RECORD)
    assert record is not None
    assert "hardware" not in record["result"]
    assert find_run(trained, packed).threshold == find_run(trained).threshold
    if PRECISION in names:
        assert (read_json(packed / PRECISION) or {})["model"] == fingerprint_of(packed / MODEL)
    assert stored_preprocessing(packed, bands=3).standardized
    assert record["inputs"] == {}
    learned = record["result"]["learned"]
    assert learned == [[*row[:3], ""] for row in whole_record["result"]["learned"]]
    assert learned


def test_a_run_of_an_earlier_version_is_packaged_with_what_it_learned_from(
    trained: Profile, tmp_path: Path
) -> None:
    record = read_json(trained.run / RUN_RECORD) or {}
    learned, _ = record["result"].pop("learned"), record["result"].pop("ancestors")
    write_json(trained.run / RUN_RECORD, record)
    package(trained.run, tmp_path / "package")
    packed = read_json(tmp_path / "package" / RUN_RECORD) or {}
    assert packed["result"]["learned"] == [[*row[:3], ""] for row in learned]


def test_run_that_has_not_finished_is_not_packaged(trained: Profile, tmp_path: Path) -> None:
    (trained.run / RUN_RECORD).unlink()
    with pytest.raises(SystemExit, match="has not finished"):
        package(trained.run, tmp_path / "package")
