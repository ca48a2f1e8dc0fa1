"""The documentation points at files that are there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [
    path
    for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("landslide_cli/**/*.md"))
    if path.is_file()
]
LINK = re.compile(r"\]\(([^)#\s]*)(?:#([^)\s]*))?\)")


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    heads = re.findall(r"^#+ +(.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target, anchor in LINK.findall(page.read_text(encoding="utf-8")):
        if "://" in target:
            continue
        there = page.parent / target if target else page
        assert there.exists(), target
        if anchor and there.suffix == ".md":
            assert anchor in anchors(there), f"{target}#{anchor}"


def test_paths_in_the_architecture_exist() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    named = {name.rstrip("/") for name in re.findall(r"`([a-z_]+(?:/[a-zA-Z_.]+)*/?)`", text)}
    paths = {name for name in named if "/" in name}
    assert len(paths) > 40
    missing = []
    for name in sorted(paths):
        inside = name.startswith(("tools", "tests", "configs", "docs", ".ci"))
        base = ROOT if inside else ROOT / "landslide_cli"
        if not any((base / f"{name}{suffix}").exists() for suffix in ("", ".py")):
            missing.append(name)
    assert missing == []


def test_the_table_of_rooms_names_every_module() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `([a-z_/]+)/` \| (.+) \|$", text, re.MULTILINE))
    rooms = [
        *("core", "core/tiling", "core/scores", "core/networks", "profile", "imagery"),
        *("dataset", "training_data", "runs"),
    ]
    for room in rooms:
        folder = ROOT / "landslide_cli" / room
        # Imagery's row stands for its folders too; those without names in it are whole subjects.
        named = set(re.findall(r"`([a-z0-9_]+)`", rows[room]))
        inside = {path.stem for path in folder.glob("*.py")} - {"__init__"}
        if room == "imagery":
            inside |= {path.stem for path in folder.glob("[rv]*/*.py")}
            inside -= {"__init__"}
        assert inside - named == set(), room
