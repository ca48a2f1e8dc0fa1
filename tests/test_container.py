"""The Containerfile copies what is there, and ends without root."""

import fnmatch
import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
LINES = (ROOT / "Containerfile").read_text(encoding="utf-8").replace("\\\n", " ").splitlines()


def instructions(name: str) -> list[str]:
    return [line.split(maxsplit=1)[1] for line in LINES if line.split(maxsplit=1)[:1] == [name]]


def test_what_the_image_is_made_of_exists_and_is_not_ignored() -> None:
    text = (ROOT / ".dockerignore").read_text(encoding="utf-8")
    patterns = [line for line in text.splitlines() if line and line[0] != "#"]
    assert patterns[0] == "*"
    kept = [pattern[1:] for pattern in patterns if pattern[0] == "!"]
    from_here = [copy.split()[:-1] for copy in instructions("COPY") if "--from" not in copy]
    sources = [source for copy in from_here for source in copy]
    assert {"pyproject.toml", "landslide_cli"} <= set(sources)
    for source in sources:
        assert (ROOT / source).exists(), source
        assert any(fnmatch.fnmatch(source, name) or source.startswith(f"{name}/") for name in kept)


def test_image_has_what_the_package_is_built_from() -> None:
    with (ROOT / "pyproject.toml").open("rb") as file:
        project = tomllib.load(file)["project"]
    sources = " ".join(instructions("COPY"))
    for name in (project["readme"], *project["license-files"]):
        assert name in sources


def test_final_stage_runs_the_command_as_a_user() -> None:
    last = max(index for index, line in enumerate(LINES) if line.startswith("FROM"))
    final = "\n".join(LINES[last:])
    (user,) = re.findall(r"^USER (\d+)$", final, re.MULTILINE)
    assert int(user) > 0
    assert re.search(rf"useradd .*--uid {user}\b", final)
    with (ROOT / "pyproject.toml").open("rb") as file:
        commands = tomllib.load(file)["project"]["scripts"]
    assert re.findall(r'^ENTRYPOINT \["(\w+)"\]', final, re.MULTILINE) == [*commands]
    assert "pip install" not in final
