"""`report.html`: what there is of a map and of a run on one page, to be handed on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from landslide_cli.core.frequency_area import LEAST, Estimate
from landslide_cli.errors import counted
from landslide_cli.imagery.pictures import LEGEND
from landslide_cli.imagery.plots import plot_frequency_area
from landslide_cli.imagery.provenance import day_of_mapping
from landslide_cli.imagery.vector.attributes import LandslideTable
from landslide_cli.outputs import write_text
from landslide_cli.profile import Profile
from landslide_cli.reporting import Reporter
from landslide_cli.runs.files import PACKAGED, maps_folder, uses_packaged
from landslide_cli.stages.show.landslides import UNITS, Distribution, Landslides
from landslide_cli.stages.show.report.maps import map_part
from landslide_cli.stages.show.report.model_card import read_card
from landslide_cli.stages.show.report.page import drawn, rendered
from landslide_cli.stages.show.report.runs import RunPart, expectation_of
from landslide_cli.version import __version__

LEAFLET = "1.9.4"


@dataclass(frozen=True)
class MapContents:
    """What was read of a folder of maps: the polygons by scene, put together, and their sizes."""

    tables: Mapping[str, LandslideTable]
    groups: Sequence[Landslides]
    distributions: Sequence[Distribution]


def write_report(
    profile: Profile,
    path: Path,
    contents: MapContents,
    run: RunPart | None,
    limit: int | None,
    reporter: Reporter,
) -> list[Path]:
    """Write the page of the profile's map and run; nothing where there is neither.

    Args:
        profile: its maps, palette and `show` are used.
        path: of the page.
        contents: of the folder of maps.
        run: what there is of a run.
        limit: show only that many scenes. Default: `show.items`.
        reporter: shown the progress.

    Returns:
        the path, if the page was written.
    """
    mapped = _map_context(profile, contents, limit, reporter)
    if mapped is None and run is None:
        return []
    warnings = [] if mapped is None else list(mapped["warnings"])
    warnings += [] if run is None else [("", text) for text in run.warnings]
    context = {
        "title": _title(profile, mapped),
        "software": f"landslide-cli {__version__}",
        "day": day_of_mapping(),
        "place": None if mapped is None else mapped["place"],
        "leaflet": LEAFLET,
        "units": UNITS,
        "thing": profile.palette.polygons.removesuffix("s"),
        "sections": _sections(mapped, run),
        "warnings": list(dict.fromkeys(warnings)),
        "map": mapped,
        "run": run,
        "comparison_legend": LEGEND,
    }
    write_text(path, rendered(context))
    return [path]


def _map_context(
    profile: Profile, contents: MapContents, limit: int | None, reporter: Reporter
) -> dict[str, Any] | None:
    folder = maps_folder(profile)
    part = map_part(profile, folder, contents.tables, contents.groups, limit, reporter)
    if part is None:
        return None
    packaged = uses_packaged(profile)
    names = {scene.crs for scene in part.scenes if scene.crs}
    return {
        **vars(part),
        "distributions": [
            _distribution(found, profile.palette.polygons.removesuffix("s"))
            for found in contents.distributions
        ],
        "card": read_card(PACKAGED / "MODEL_CARD.md") if packaged else {},
        "expectation": None if packaged else expectation_of(profile),
        "place": names.pop() if len(names) == 1 else None,
    }


def _title(profile: Profile, mapped: Mapping[str, Any] | None) -> str:
    are_landslides = profile.palette.are_landslides
    if mapped is None:
        return f"{'Landslide model' if are_landslides else 'Model'}: {profile.run.name}"
    names = [line[0] for line in mapped["summary"]]
    subject = names[0] if len(names) == 1 else counted(len(names), "scene")
    return f"{'Landslide map' if are_landslides else 'Map'}: {subject}"


def _sections(mapped: Mapping[str, Any] | None, run: RunPart | None) -> list[tuple[str, str]]:
    sections = []
    if mapped is not None:
        sections.append(("map", "Map"))
        sections += [("sizes", "Number and area")] if mapped["sizes"] else []
        sections += [("largest", "The largest")] if any(r for _, r in mapped["largest"]) else []
        sections += [("distribution", "Frequency and area")] if mapped["distributions"] else []
        sections += [("expect", "What to expect"), ("provenance", "Provenance")]
    return sections + ([] if run is None else run.sections)


def _distribution(found: Distribution, thing: str) -> dict[str, Any]:
    unit = UNITS[found.unit]
    left_out = [
        f"{number:,} {words}"
        for number, words in (
            (found.cut_by_edge, "cut by the edge of the data"),
            (found.duplicates, "that overlapping scenes repeat"),
        )
        if number
    ]
    caption = counted(found.fitted.landslides, f"whole {thing}")
    caption += f"; left out: {', '.join(left_out)}." if left_out else "."
    if found.fitted.landslides < LEAST:
        caption += f" Fewer than {LEAST} tell no distribution."
        return {"figure": None, "caption": caption, "rows": []}
    figure = drawn(lambda path: plot_frequency_area(path, found.areas, unit, found.fitted, thing))
    return {"figure": figure, "caption": caption, "rows": _fits(found, unit, thing)}


def _fits(found: Distribution, unit: str, thing: str) -> list[tuple[str, str, str]]:
    rows = []
    law, gamma = found.fitted.power_law, found.fitted.inverse_gamma
    if law is not None:
        bound = f"from {_written(law.lower_bound, 0)} {unit} on: {law.landslides:,} {thing}s"
        rows.append(
            (
                "power law, tail (Clauset et al. 2009)",
                _written(law.exponent, 2),
                f"{bound}; Kolmogorov-Smirnov distance {law.distance:.3f}"
                + ("" if law.fits else ": they follow no power law"),
            )
        )
    if gamma is not None:
        parameters = (
            f"a {_written(gamma.a, 0)} {unit}; s {_written(gamma.s, 0)} {unit}; "
            f"most frequent area {_written(gamma.rollover, 0)} {unit}"
        )
        name = "inverse gamma (Malamud et al. 2004)"
        rows.append((name, _written(gamma.exponent, 2), parameters))
    return rows


def _written(estimate: Estimate, decimals: int) -> str:
    low, high = estimate.interval
    return f"{estimate.value:,.{decimals}f} ({low:,.{decimals}f} to {high:,.{decimals}f})"
