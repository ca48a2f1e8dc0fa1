"""`show`: what the pictures look like."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from landslide_cli.profile.base import Settings


class ShowSettings(Settings):
    """`landslide show`: pictures of any step's results."""

    output: Path | None = Field(
        None,
        description="Folder of the pictures. Default: `<run>/show`, or "
        "`<dataset>/show` before the training.",
    )
    items: int = Field(
        6, ge=1, le=1000, description="Rows of a contact sheet, and scenes of the report."
    )
    cell: int = Field(
        512,
        ge=32,
        le=2048,
        description="Side of a picture in a sheet, in pixels of 300 per inch.",
    )
    format: Literal["png", "pdf", "svg"] = Field(
        "png", description="Format of the pictures: png has 300 dots per inch."
    )
