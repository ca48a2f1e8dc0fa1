"""Samples whose scores are optimistic: the run, or a model that it goes back to, knows them."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from landslide_cli.errors import listed
from landslide_cli.profile import Profile
from landslide_cli.reporting import Reporter
from landslide_cli.runs.ancestry import Ancestor, known_samples, learned_events, lineage_of
from landslide_cli.runs.files import PACKAGED, uses_packaged
from landslide_cli.runs.samples import Samples, trained_on


@dataclass(frozen=True)
class Leak:
    """A sample on whose ground the scored `run` was trained, or a `model` that it goes back to.

    `evidence` is how that is known: by the "split" of the run's dataset, the same "file", a "copy"
    of its content, or the "group" of another sample. `shows` is the scene that was learned from,
    or that other sample; None by the split.
    """

    scene: str
    run: str
    model: str
    shows: str | None
    evidence: Literal["split", "file", "copy", "group"]

    def document(self) -> dict[str, Any]:
        """Return the leak as JSON values."""
        return asdict(self)


def report_leaks(
    profile: Profile, samples: Samples, reporter: Reporter
) -> tuple[list[Leak], list[str]]:
    """Find and warn of what the profile's run, or a model that it goes back to, has learned from.

    Returns:
        The leaks, one per sample, and the warnings.

    Raises:
        DataError: the run's record is damaged.
    """
    folder = PACKAGED if uses_packaged(profile) else profile.run_folder
    lineage = lineage_of(folder)
    models = {model.model: model for model in lineage}
    own = lineage[0] if lineage else Ancestor(str(folder), [], [])
    if not profile.split.overlap.content and folder != PACKAGED:
        # Nor did the split compare by content what it put into the run's parts.
        bare = [replace(scene, sketch="") for scene in own.scenes]
        lineage = [replace(own, scenes=bare), *lineage[1:]]
    known = {found.sample: found for found in known_samples(profile, lineage, samples)}
    by_split = {
        name: Leak(name, own.model, own.model, None, "split")
        for name in trained_on(profile, samples)
    }
    by_scene = {
        name: Leak(name, own.model, found.model, found.shows, found.evidence)
        for name, found in known.items()
    }
    # What the run itself has learned from is told of it alone.
    leaks = list((by_scene | by_split).values())
    warnings = _events(own, learned_events(profile, lineage, samples))
    for model in dict.fromkeys([own.model, *models]):
        of_model = [leak for leak in leaks if leak.model == model]
        warnings += _trained(own, models.get(model, own), of_model, samples)
    for text in warnings:
        reporter.warn(text)
    return leaks, warnings


def _events(own: Ancestor, events: Sequence[str]) -> list[str]:
    if not events:
        return []
    return [
        f"{own.title} has learned from scenes of {listed(events, most=3)}: these are scores on an "
        "event that it has seen"
    ]


def _trained(own: Ancestor, model: Ancestor, leaks: Sequence[Leak], samples: Samples) -> list[str]:
    if not leaks:
        return []
    copies = sum(leak.evidence == "copy" for leak in leaks)
    start = "" if model is own else f" goes back to {model.title}, which"
    by_content = f" ({copies} recognised by content)" if copies else ""
    total = len(samples.items)
    known = f"{len(leaks)} of these {total} {samples.noun}"
    if total == 1:
        known = f"this {samples.noun[:-1]}"
    return [
        f"{own.title}{start} was trained on ground of {known}{by_content}, so the "
        f"scores will be optimistic: {listed([leak.scene for leak in leaks], most=4)}"
    ]
