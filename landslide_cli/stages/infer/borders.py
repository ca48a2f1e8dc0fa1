"""What is said of pixels that were not taken as they are: undeclared borders, cut off values."""

from collections.abc import Sequence

from landslide_cli.imagery.raster.stack import clipped_note, is_mostly_clipped
from landslide_cli.reporting import Reporter
from landslide_cli.stages.infer.result import MappedScene


def tell_borders(scenes: Sequence[MappedScene], reporter: Reporter) -> None:
    """Note the borders of mapped scenes, one line for all of the same value.

    Scenes without anything else are warned of.
    """
    remedy = "is taken as no data; infer.nodata=none maps it"
    alike: dict[str, list[tuple[str, float]]] = {}
    for scene in scenes:
        if scene.border is None:
            continue
        values = _named(scene.border.values)
        if not any(scene.class_shares.values()):
            reporter.warn(f"{scene.scene}: has {values} throughout, which {remedy}")
        else:
            alike.setdefault(values, []).append((scene.scene, scene.border.share))
    for values, borders in alike.items():
        if len(borders) == 1:
            (name, share) = borders[0]
            reporter.note(f"{name}: a border of {_percent(share)} of {values} {remedy}")
            continue
        shares = [share for _, share in borders]
        reporter.note(
            f"{len(borders)} scenes: a border of {_percent(min(shares))} to "
            f"{_percent(max(shares))} of {values} {remedy}"
        )


def tell_clipped(scenes: Sequence[MappedScene], reporter: Reporter) -> None:
    """Say which bands of mapped scenes had values outside of their ranges."""
    for scene in scenes:
        if scene.clipped:
            say = reporter.warn if is_mostly_clipped(scene.clipped) else reporter.note
            say(f"{scene.scene}: {clipped_note(scene.clipped)}")


def _named(values: Sequence[Sequence[float]]) -> str:
    texts = [f"({', '.join(f'{value:g}' for value in bands)})" for bands in values]
    return f"one value {texts[0]}" if len(texts) == 1 else f"the values {' and '.join(texts)}"


def _percent(share: float) -> str:
    digits = 0 if share >= 0.1 else 1
    return f"{max(share, 0.001) * 100:.{digits}f} %"
