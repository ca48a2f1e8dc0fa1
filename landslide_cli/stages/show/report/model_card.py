"""The model card of the packaged model as blocks of a page: paragraphs and tables."""

import re
from dataclasses import dataclass
from pathlib import Path

# Of the card, what tells a reader of a map what to expect of it.
SECTIONS = ("In short", "Scores", "Where it fails")
# How the paragraph begins that stands for the first.
_SHORT = f"{SECTIONS[0]}:"


@dataclass(frozen=True)
class Block:
    """A paragraph, or the rows of a table, the heads first."""

    text: str = ""
    rows: tuple[tuple[str, ...], ...] = ()


def read_card(path: Path) -> dict[str, list[Block]]:
    """Return the blocks of the card's `SECTIONS`, by their titles.

    Args:
        path: of the card, in Markdown. Emphasis and links become plain text.
    """
    sections: dict[str, list[Block]] = {}
    title = ""
    for chunk in re.split(r"\n\s*\n", path.read_text(encoding="utf-8").strip()):
        lines = chunk.strip().splitlines()
        if lines[0].startswith("#"):
            title, lines = lines[0].lstrip("# "), lines[1:]
        if not lines:
            continue
        block = _table(lines) if lines[0].startswith("|") else Block(_plain(" ".join(lines)))
        heading = title
        if block.text.startswith(_SHORT):
            text = block.text.removeprefix(_SHORT).strip()
            heading, block = SECTIONS[0], Block(text[:1].upper() + text[1:])
        if heading in SECTIONS:
            sections.setdefault(heading, []).append(block)
    return sections


def _table(lines: list[str]) -> Block:
    rows = [
        tuple(_plain(cell) for cell in line.strip().strip("|").split("|"))
        for line in lines
        if not re.fullmatch(r"[|\s:-]+", line)
    ]
    return Block(rows=tuple(rows))


def _plain(text: str) -> str:
    text = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", text)
    return re.sub(r"(\*\*|\*|`)", "", text).strip()
