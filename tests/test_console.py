"""What a person, a log and a pipe see."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from landslide_cli.console import (
    LogReporter,
    TerminalReporter,
    reporter_for,
    show_error,
    show_failure,
    show_result,
)
from landslide_cli.console.tables import drawn
from landslide_cli.reporting import Reporter, Result, Table

Capture = pytest.CaptureFixture[str]


@dataclass(frozen=True)
class Outcome(Result):
    """A stage's result."""

    values: dict[str, Any] = field(default_factory=lambda: {"tiles": 3, "name": "größer"})
    cells: Sequence[str] = ("landslide", "0.851")

    def headline(self) -> str:
        return "3 tiles made: /tmp/[bold]folder[/bold]:100:"

    def tables(self) -> Sequence[Table]:
        return [Table("scores", ["class", "dice"], [self.cells, ("background", "0.99")])]

    def document(self) -> dict[str, Any]:
        return self.values


def is_plain(text: str) -> bool:
    return "\r" not in text and "\x1b" not in text


def test_json_is_one_document_on_stdout_and_nothing_else(capsys: Capture) -> None:
    show_result(Outcome(), as_json=True)
    out, err = capsys.readouterr()
    assert json.loads(out) == {"tiles": 3, "name": "größer"}
    assert is_plain(out)
    assert err == ""


def test_a_number_that_json_does_not_have_is_refused_before_anything_is_printed(
    capsys: Capture,
) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        show_result(Outcome({"loss": float("nan")}), as_json=True)
    assert capsys.readouterr().out == ""


def test_a_result_is_printed_as_tables_and_a_last_line(capsys: Capture) -> None:
    show_result(Outcome(), as_json=False)
    out, err = capsys.readouterr()
    assert is_plain(out)
    assert err == ""
    for text in ("scores", "class", "dice", "landslide", "0.851", "background", "0.99"):
        assert text in out
    assert out.splitlines()[-1] == "3 tiles made: /tmp/[bold]folder[/bold]:100:"


@pytest.mark.parametrize("name", ["scene[a]", "[/bold]", "[red]x[/red]", "a:100:b", "a" * 100])
def test_a_cell_is_printed_as_it_is(capsys: Capture, name: str) -> None:
    show_result(Outcome(cells=(name, "0.5")), as_json=False)
    assert name in capsys.readouterr().out


@pytest.mark.parametrize(
    "text",
    ["a: [bold]no such file[/bold]\ndo this", "profile.yaml:100: unknown key 'epohcs'", "x" * 400],
)
def test_an_error_goes_to_stderr_as_it_is(capsys: Capture, text: str) -> None:
    show_error(text)
    out, err = capsys.readouterr()
    assert err == f"error: {text}\n"
    assert out == ""


def work_with(reporter: Reporter) -> None:
    """What a stage does with its reporter."""
    reporter.note("read 3 scenes")
    with reporter.live("training", ["epoch", "loss"]) as add_row:
        for epoch in ("1", "2"):
            with reporter.track("cutting", 3) as advance:
                for _ in range(3):
                    advance()
            add_row([epoch, "0.25"])
    reporter.warn("every tile was dropped")


def test_quiet_work_says_nothing(capsys: Capture) -> None:
    work_with(reporter_for(quiet=True))
    assert capsys.readouterr() == ("", "")


def test_a_log_is_plain_lines_on_stderr(capsys: Capture) -> None:
    assert isinstance(reporter_for(quiet=False), LogReporter)
    work_with(LogReporter(interval=0.0))
    out, err = capsys.readouterr()
    assert out == ""
    assert is_plain(err)
    lines = err.splitlines()
    assert lines[0] == "read 3 scenes"
    assert lines[1] == "training"
    assert lines[-1] == "warning: every tile was dropped"
    assert [line for line in lines if "epoch" in line] == [
        "  ".join((f"epoch {epoch}", "loss 0.25")) for epoch in (1, 2)
    ]
    progress = [line for line in lines if line.startswith("cutting")]
    assert progress
    assert all(re.match(r"cutting: [0-3]/3 in ", line) for line in progress)
    assert all(line.strip() == line and line for line in lines)


def test_a_log_keeps_quiet_on_what_is_soon_done(capsys: Capture) -> None:
    with LogReporter().track("cutting", 3) as advance:
        advance()
    assert capsys.readouterr().err == ""


def test_a_log_counts_megapixels_and_names_the_scene(capsys: Capture) -> None:
    with LogReporter(interval=0.0).track("mapping 2 scenes", 30.5, "Mpx") as advance:
        advance(12.25, name="scene 1 of 2: a")
        advance(18.25, name="scene 2 of 2: b")
    assert "scene 1 of 2: a: 12.2/30.5 Mpx in " in capsys.readouterr().err


def test_a_log_has_nothing_of_a_spinner(capsys: Capture) -> None:
    with LogReporter(interval=0.0).working("loading TensorFlow"):
        pass
    assert capsys.readouterr() == ("", "")


def test_an_error_passes_through_every_reporter() -> None:
    reporters: list[Reporter] = [reporter_for(quiet=True), LogReporter(), TerminalReporter()]
    for reporter in reporters:
        with (
            pytest.raises(ValueError, match="bad pixels"),
            reporter.live("training", ["epoch"]),
            reporter.track("cutting", 3) as advance,
        ):
            advance()
            raise ValueError("bad pixels")


def test_a_terminal_shows_rows_notes_and_warnings_as_they_are(capsys: Capture) -> None:
    reporter = TerminalReporter()
    work_with(reporter)
    reporter.note("[bold]kept[/bold]:100:")
    reporter.warn("x[/bold]:100:")
    out, err = capsys.readouterr()
    assert out == ""
    for text in ("read 3 scenes", "epoch", "0.25", "warning: every tile"):
        assert text in err
    for text in ("[bold]kept[/bold]:100:", "warning: x[/bold]:100:"):
        assert text in err


def test_a_terminal_reporter_works_again_after_an_error(capsys: Capture) -> None:
    reporter = TerminalReporter()
    with pytest.raises(ValueError, match="bad"), reporter.track("cutting", 3):
        raise ValueError("bad")
    work_with(reporter)
    assert "0.25" in capsys.readouterr().err


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Have Rich take stderr for a terminal of 40 columns."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "40")
    yield


@pytest.mark.usefixtures("terminal")
def test_a_terminal_shows_with_words_that_something_goes_on(capsys: Capture) -> None:
    reporter = TerminalReporter(delay=0.0)
    with reporter.working("mapping"):
        with reporter.working("loading TensorFlow"):
            reporter.note("seen")
        with reporter.track("a scene with a long name", 2.5, "Mpx") as advance:
            advance(1.0, name="scene 1 of 2: a.tif")
    shown = capsys.readouterr().err
    for text in ("mapping, 0 s", "loading TensorFlow, 0 s", "a scene with a long name"):
        assert text in shown
    # The bar is gone at the end, and a line tells what it was.
    assert "a scene with a long name: 2.50 Mpx in" in shown


@pytest.mark.usefixtures("terminal")
def test_lines_for_a_terminal_are_broken_between_words(capsys: Capture) -> None:
    text = (
        "the threshold of the model is 0.123456789, of /a/very/long/path/to/a/file/of/the/run.json"
    )
    show_error(text)
    lines = re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().err).splitlines()
    assert " ".join(lines) == f"error: {text}"
    assert len(lines) == 3


NUMBERS = st.one_of(
    st.floats(-1e9, 1e9).map(lambda value: f"{value:,.4f}"),
    st.just("0.123 to 0.456"),
    st.just("12 of 345"),
)


@given(
    rows=st.lists(st.tuples(st.text("abc_-", max_size=30), *[NUMBERS] * 5), min_size=1, max_size=3),
    width=st.integers(24, 100),
)
def test_no_number_is_cut_at_any_width(rows: list[tuple[str, ...]], width: int) -> None:
    columns = ["scene", "Dice", "precision", "share of pixels", "total area", "polygons"]
    table = Table("scores", columns, rows, least=["share of pixels", "precision"])
    lines = printed(drawn(table, width), width)
    assert all(len(line) <= width for line in lines)
    text = "\n".join(lines)
    left_out = " ".join(text.split()).partition("not shown: ")[2]
    for row in rows:
        for name, cell in zip(columns[1:], row[1:], strict=True):
            assert name in left_out or cell in text


def printed(renderable: Any, width: int) -> list[str]:
    console = Console(width=width, force_terminal=False)
    with console.capture() as capture:
        console.print(renderable)
    return capture.get().splitlines()


SCENES = Table(
    "scenes",
    ["scene", "pixels", "GSD", "polygons", "total area"],
    [("ortho_1", "4096 x 4096", "0.5 m", "1,234", "123,456 m²"), ("b", "10 x 10", "", "-", "0")],
    least=["pixels", "GSD"],
)


def test_a_narrow_table_leaves_out_columns_and_names_them() -> None:
    lines = printed(drawn(SCENES, 48), 48)
    assert "pixels" not in lines[2]
    assert "GSD" in lines[2]
    assert " ".join(lines).endswith("not shown: pixels; see a wider terminal, or --json")


def test_a_very_narrow_table_becomes_keys_and_values() -> None:
    lines = [line.rstrip() for line in printed(drawn(SCENES, 30), 30)]
    assert lines == [
        "scenes",
        "scene ortho_1",
        "  pixels      4096 x 4096",
        "  GSD         0.5 m",
        "  polygons    1,234",
        "  total area  123,456 m²",
        "scene b",
        "  pixels      10 x 10",
        "  total area  0",
    ]


def test_keys_and_values_without_a_value_are_left_out() -> None:
    rows = [("touched", "5 of 9", "-"), ("found", "123,456 of 9", "0.123 to 0.456"), ("a", "-", "")]
    table = Table("", ["", "value", "95 % interval"], rows)
    lines = [line.rstrip() for line in printed(drawn(table, 30), 30)]
    assert lines == [
        "touched: 5 of 9",
        "found",
        "  value          123,456 of 9",
        "  95 % interval",
        "    0.123 to 0.456",
    ]


def test_a_growing_table_leaves_out_columns_and_keeps_its_form() -> None:
    lines = printed(drawn(SCENES, 30, records=False), 30)
    assert "scene" in lines[2]
    assert "total area" not in lines[2]
    assert any("ortho_1" in line and "1,234" in line for line in lines)


def test_a_file_takes_all_columns(capsys: Capture) -> None:
    show_result(Outcome(cells=("n" * 150, "0.5")), as_json=False)
    assert "0.5" in capsys.readouterr().out


def test_a_failure_is_a_json_document(capsys: Capture) -> None:
    show_failure("a.tif: no such file", 1)
    out, err = capsys.readouterr()
    assert json.loads(out) == {"error": "a.tif: no such file", "exit_status": 1}
    assert err == ""


def test_a_result_in_a_notebook_is_its_tables_and_headline() -> None:
    html = Outcome(cells=("<b>", "0.5"))._repr_html_()
    assert "<caption>scores</caption>" in html
    assert "&lt;b&gt;" in html
    assert html.endswith("<p>3 tiles made: /tmp/[bold]folder[/bold]:100:</p>")


def test_help_imports_nothing_heavy() -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "landslide_cli", "--help"],
        capture_output=True,
        text=True,
        check=True,
    )
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "prepare" in done.stdout
    assert "landslide_cli.app" in imported
    roots = {name.partition(".")[0] for name in imported}
    assert roots.isdisjoint({"tensorflow", "keras", "cv2", "rasterio", "matplotlib"})


@pytest.mark.parametrize("profile", ["nowhere.yaml", "a.tif", "."])
def test_a_wrong_profile_imports_nothing_heavy(profile: str) -> None:
    code = (
        "import sys; from landslide_cli.app import main;"
        f"status = main(['train', {profile!r}, '--json']);"
        "print(status, {'tensorflow', 'cv2', 'rasterio', 'matplotlib'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "2 set()"


@pytest.mark.parametrize(
    ("name", "shown"), [("Fl\udce4che", r"Fl\xe4che"), ("\x1b[2J", r"\x1b[2J")]
)
def test_names_that_are_not_utf8_or_command_the_terminal_are_printed_escaped(
    capsys: Capture, name: str, shown: str
) -> None:
    show_result(Outcome(cells=(name, "0.5")), as_json=False)
    show_error(f"{name}: no such file")
    LogReporter().warn(f"{name} is not mapped")
    out, err = capsys.readouterr()
    assert shown in out
    assert err.count(shown) == 2
    assert is_plain(out + err)


def test_stdout_of_another_encoding_takes_any_name() -> None:
    code = (
        "from landslide_cli.console import show_result\n"
        "from tests.test_console import Outcome\n"
        "show_result(Outcome(cells=('中文', '0.5')), as_json=False)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONIOENCODING": "latin-1"},
        capture_output=True,
        check=True,
    )
    assert rb"\u4e2d\u6587" in done.stdout
