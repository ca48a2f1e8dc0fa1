"""Where a map comes from, as its files say it."""

import os
from dataclasses import dataclass
from datetime import UTC, date, datetime


def day_of_mapping() -> str:
    """Return the date of today, as in 2025-11-30, or that of SOURCE_DATE_EPOCH.

    That variable, in seconds since 1970, is how builds are made reproducible to the bit on other
    days (reproducible-builds.org).
    """
    epoch = os.environ.get("SOURCE_DATE_EPOCH", "")
    if epoch.isdecimal():
        return datetime.fromtimestamp(int(epoch), UTC).date().isoformat()
    return date.today().isoformat()


@dataclass(frozen=True)
class Provenance:
    """Where the maps of a scene come from.

    The name of the scene, and its GSD in metres, None if unknown; the fingerprint of the model; the
    date of the mapping, as in 2025-11-30; the probability from which on a pixel is foreground,
    None: the most probable class; the name of the scene's file; the licence of the model's weights,
    None if unknown; and name and version of this program.
    """

    scene: str
    gsd: float | None
    model: str
    mapped: str
    threshold: float | None = None
    source: str | None = None
    licence: str | None = None
    software: str | None = None

    def tags(self) -> dict[str, str]:
        """Return what is known by keys, as GDAL's metadata have them; nothing without a value."""
        values = {
            "SOFTWARE": self.software,
            "SOURCE": self.source,
            "GSD_M": None if self.gsd is None else f"{self.gsd:.4g}",
            "MODEL": self.model,
            "MODEL_LICENCE": self.licence,
            "THRESHOLD": None if self.threshold is None else f"{self.threshold:g}",
            "MAPPED": self.mapped,
        }
        return {key: value for key, value in values.items() if value is not None}
