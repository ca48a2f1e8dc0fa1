"""The command line as people and scripts use it."""

import json
import os
import pty
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import TextIO

import pytest

import landslide_cli
from landslide_cli.app import main

COMMANDS = ["prepare", "split", "train", "evaluate", "infer-tiled", "show"]

SHARED = ["set", "limit", "quiet", "json", "debug"]

PROFILE = """\
name: smoke
dataset: data
run: run
source:
  synthetic: {scenes: 5, width: 96, height: 96, seed: 3}
prepare: {tile: 48, workers: 2, augment: {hflip: true}}
model: {base_filters: 4, base_kernels: 3, num_layers: 3}
train: {epochs: 2, batch: 2, learning_rate: 1e-3, preview_scenes: [synthetic-0001]}
infer: {overlap: 16}
show: {items: 2, cell: 64}
"""


# One process for all six: each of its own would load TensorFlow again, for seconds.
CHAIN = """\
import sys
from landslide_cli.app import main
for name in sys.argv[1:]:
    if status := main([name, "p.yaml", "--limit", "4", "--quiet"]):
        sys.exit(status)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a profile, in which the tests of this file run one after the other."""
    folder = tmp_path_factory.mktemp("app")
    (folder / "p.yaml").write_text(PROFILE, encoding="utf-8")
    return folder


def test_chain_of_all_six_is_silent_when_quiet(folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", CHAIN, *COMMANDS],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    assert done.returncode == 0
    for name in ("data/tiles/manifest.csv", "data/split.json", "run/model.keras"):
        assert (folder / name).is_file()
    assert (folder / "run/evaluation.json").is_file()
    assert list((folder / "run/infer").glob("*_overlay.jpg"))
    assert {str(path) for path in (folder / "run/show").glob("*.png")} <= {
        str(folder / line) for line in done.stdout.splitlines()
    }


def test_polygons_have_a_spatial_index_where_tensorflow_is_loaded(folder: Path) -> None:
    """TensorFlow brings an SQLite of its own, which knows no index, into the process."""
    path, *_ = (folder / "run/infer").glob("*_landslides.gpkg")
    with closing(sqlite3.connect(path)) as database:
        tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master")}
    assert "rtree_landslides_geom" in tables


@pytest.mark.parametrize("name", COMMANDS)
def test_each_prints_one_json_document(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], name: str
) -> None:
    monkeypatch.chdir(folder)
    assert main([name, "p.yaml", "--limit", "4", "--json"]) == 0
    document = json.loads(capfd.readouterr().out)
    if name in ("prepare", "split", "train"):
        assert document["unchanged"] is True
    if name == "evaluate":
        assert 0.0 <= document["landslide"]["dice"] <= 1.0


@pytest.fixture(params=["full", "closed"])
def broken(request: pytest.FixtureRequest) -> Iterator[TextIO]:
    """A stream that takes nothing: of a full disk, or a pipe that nobody reads."""
    if request.param == "full":
        descriptor = os.open("/dev/full", os.O_WRONLY)
    else:
        reader, descriptor = os.pipe()
        os.close(reader)
    stream = open(descriptor, "w", encoding="utf-8")  # noqa: PTH123, SIM115
    yield stream
    with suppress(OSError):
        stream.close()


@pytest.mark.parametrize("name", COMMANDS)
def test_what_stderr_does_not_take_ends_no_command(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    broken: TextIO,
    name: str,
) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "stderr", broken)
    arguments = [name, "p.yaml", "--limit", "4"]
    assert main(arguments) == 0
    assert capfd.readouterr().out
    assert main([*arguments, "--set", "train.epoch=3"]) == 2
    broken.flush()  # nothing is left that would fail at the program's end


@pytest.mark.parametrize("name", COMMANDS)
def test_result_that_stdout_does_not_take_is_an_error(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    name: str,
) -> None:
    monkeypatch.chdir(folder)
    with open("/dev/full", "w", encoding="utf-8") as full:  # noqa: PTH123
        monkeypatch.setattr(sys, "stdout", full)
        assert main([name, "p.yaml", "--limit", "4", "--quiet"]) == 1
    assert capfd.readouterr().err == "error: stdout: No space left on device\n"


def test_augmentations_are_pictured_when_asked_for(
    folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(folder)
    arguments = ["show", "p.yaml", "--augmentations", "--output", str(tmp_path)]
    assert main([*arguments, "--set", "train.augment.rotate.probability=1"]) == 0
    assert capsys.readouterr().out == f"{tmp_path / 'augmentations.png'}\n"
    assert [path.name for path in tmp_path.iterdir()] == ["augmentations.png"]
    assert main(arguments) == 0
    assert "no augmentation is enabled" in capsys.readouterr().err


def test_log_of_a_training_is_plain_text(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    assert main(["train", "p.yaml", "--limit", "4", "--overwrite"]) == 0
    log = capfd.readouterr().err
    assert "\r" not in log
    assert "\x1b" not in log
    # A slow machine also tells how far an epoch has come.
    epochs = [line for line in log.splitlines() if line.startswith("epoch ") and "loss" in line]
    assert len(epochs) == 2
    assert all("landslide Dice" in line and "valid loss" in line for line in epochs)


def test_terminal_sees_a_live_table(folder: Path) -> None:
    main_end, terminal = pty.openpty()
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "landslide_cli", "prepare", "p.yaml", "--overwrite"),
            *("--set", "prepare.workers=1"),
        ],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=terminal,
        env=os.environ | {"TERM": "xterm-256color", "COLUMNS": "100"},
    )
    os.close(terminal)
    shown = b""
    while True:
        try:
            piece = os.read(main_end, 4096)
        except OSError:  # the terminal's other end has closed
            break
        if not piece:
            break
        shown += piece
    os.close(main_end)
    assert process.wait() == 0
    assert b"cutting scenes" in shown
    assert b"\x1b[" in shown


@pytest.mark.parametrize("arguments", [["--help"], ["-h"], *[[name, "-h"] for name in COMMANDS]])
def test_help_is_given(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 0
    text = capsys.readouterr().out
    if len(arguments) == 2:
        assert "Example:" in text
        assert "Writes:" in text
        places = [text.index(f"--{name} ") for name in SHARED]
        assert places == sorted(places)
        assert ("--fold " in text) == (arguments[0] != "prepare")


def test_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"landslide {landslide_cli.__version__}\n"


def test_shell_completes_the_keys_of_the_profile() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "landslide_cli"],
        env=os.environ
        | {
            "_LANDSLIDE_COMPLETE": "complete_bash",
            "COMP_WORDS": "landslide train p.yaml --set train.opt",
            "COMP_CWORD": "4",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.split() == ["train.optimizer="]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["train"], "no profile named; type: landslide train p.yaml"),
        (["infer-tiled", "a.tif"], "type: landslide infer-tiled landslide a.tif"),
        (["infer-tiled", "p.yaml", "--tta", "dreams"], "--tta"),
        (["infer-tiled", "p.yaml", "--gsd", "-1"], "infer.gsd"),
        (["infer-tiled", "p.yaml", "--threshold", "1.5"], "infer.threshold"),
        (["train", "nowhere.yaml"], "nowhere.yaml: no such profile"),
        (["fly", "p.yaml"], "fly"),
        (["train", "p.yaml", "--limit", "0"], "--limit"),
        (["train", "p.yaml", "--limit", "many"], "--limit"),
        (["evaluate", "p.yaml", "--on", "dreams"], "--on"),
        (["show", "p.yaml", "--model", "--augmentations"], "choose one"),
        (["train", "p.yaml", "--set", "train.epoch=3"], "did you mean 'epochs'"),
        (["train", "p.yaml", "--set", "prepare.tile=50"], "take 48 or 52"),
    ],
)
def test_wrong_command_line_or_profile_is_status_two(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    says: str,
) -> None:
    monkeypatch.chdir(folder)
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert says in error
    assert len(error.splitlines()) <= 2


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (["nowhere.yaml"], 2),
        (["p.yaml", "--limit", "0"], 2),
        (["p.yaml", "--set", "dataset=p.yaml", "--set", "run=p.yaml/run"], 1),
    ],
)
def test_failure_is_a_json_document_where_json_is_asked_for(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
    arguments: list[str],
    status: int,
) -> None:
    monkeypatch.chdir(folder)
    assert main([name, *arguments, "--json"]) == status
    out, error = capsys.readouterr()
    document = json.loads(out)
    assert document["exit_status"] == status
    assert f"error: {document['error']}" in error


def test_no_arguments_ask_for_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    out, error = capsys.readouterr()
    assert "infer-tiled" in out
    assert error == ""


@pytest.mark.parametrize("name", ["split", "train", "evaluate", "infer-tiled"])
def test_step_too_early_is_status_one_and_names_the_step_before(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("p.yaml").write_text(PROFILE, encoding="utf-8")
    assert main([name, "p.yaml", "--set", "split.seed=3"]) == 1
    error = capsys.readouterr().err
    assert re.search(r"run `landslide (prepare|train) p\.yaml --set split\.seed=3", error)
    assert len(error.splitlines()) <= 2
    assert [path.name for path in tmp_path.iterdir()] == ["p.yaml"]


def test_debug_shows_the_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("p.yaml").write_text(PROFILE, encoding="utf-8")
    assert main(["split", "p.yaml", "--debug"]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_unwritable_folder_is_status_one(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    assert main(["prepare", "p.yaml", "-q", "--set", "dataset=p.yaml/below"]) == 1
    error = capsys.readouterr().err
    assert "p.yaml: is a file" in error


def wait_for(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert process.poll() is None, "the step ended before it could be stopped"
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize(("sent", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_stopped_prepare_leaves_nothing(tmp_path: Path, sent: int, status: int) -> None:
    (tmp_path / "p.yaml").write_text(PROFILE.replace("scenes: 5", "scenes: 400"))
    process = subprocess.Popen(
        [sys.executable, "-m", "landslide_cli", "prepare", "p.yaml", "--quiet"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # A runner in the background may ignore Ctrl-C, and children would inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
    )
    wait_for(lambda: any(tmp_path.rglob("synthetic-*.png")), process)
    # A terminal sends Ctrl-C to the workers as well.
    os.killpg(process.pid, sent) if sent == signal.SIGINT else process.send_signal(sent)
    _, error = process.communicate(timeout=60)
    assert process.returncode == status
    assert len(error.splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["p.yaml"]
