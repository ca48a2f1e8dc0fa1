"""The command line with streams that are closed, full, or read by nobody."""

import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize(
    "words",
    ["--version", "--help", "prepare --help", "", "complete"],
)
@pytest.mark.parametrize(
    ("streams", "says"), [("> /dev/full", "error: stdout: No space left on device\n"), (">&9", "")]
)
def test_output_that_cannot_be_written_is_a_line_at_most(
    tmp_path: Path, words: str, streams: str, says: str
) -> None:
    environment = dict(os.environ)
    if words == "complete":
        environment |= {"_LANDSLIDE_COMPLETE": "source_bash"}
    # Nobody reads what is written to 9.
    pipe = "exec 9> >(true); wait $!; "
    command = f'{pipe} exec "{sys.executable}" -m landslide_cli {words} {streams}'
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (1, says)


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams_end_nothing_and_no_file_takes_their_place(
    tmp_path: Path, closed: str
) -> None:
    (tmp_path / "p.yaml").write_text("name: smoke\nsource: {synthetic: {scenes: 1}}\n")
    text = (
        "import os, sys; from landslide_cli.app import main; "
        "status = main(['split', 'p.yaml', '--json']); "
        "open('said', 'w').write(str(os.open('new', os.O_CREAT) > 2)); sys.exit(status)"
    )
    command = f'exec "{sys.executable}" -c "{text}" {closed}'
    done = subprocess.run(
        ["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1  # there are no scenes yet
    assert "Traceback" not in done.stderr
    assert (tmp_path / "said").read_text() == "True"
