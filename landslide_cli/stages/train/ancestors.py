"""The models that a training starts from, and what of its own dataset they know already."""

from collections.abc import Sequence

from landslide_cli.core.parts import Part
from landslide_cli.errors import LandslideError, listed
from landslide_cli.profile import Profile
from landslide_cli.reporting import Reporter, SilentReporter
from landslide_cli.runs.ancestry import Ancestor, known_samples, lineage_of
from landslide_cli.runs.samples import samples_of
from landslide_cli.stages.train.warm_start import start_file

# What is at stake where scenes of a part were learned from.
_AT_STAKE: dict[Part, str] = {
    "valid": "the best epoch and the threshold will be chosen on known ground",
    "test": "the scores will be optimistic",
}


def ancestors_of(profile: Profile) -> list[Ancestor]:
    """Return the models that the profile's training starts from, the nearest first.

    Raises:
        ModelError: what `model.weights` names does not exist.
        DataError: its record is damaged.
    """
    file = start_file(profile)
    return [] if file is None else lineage_of(file.parent, by_files=True)


def warn_of_known(profile: Profile, ancestors: Sequence[Ancestor], reporter: Reporter) -> None:
    """Warn of validation and test scenes that an ancestor has learned from, before the training."""
    if not ancestors:
        return
    titles = {ancestor.model: ancestor.title for ancestor in ancestors}
    for part, at_stake in _AT_STAKE.items():
        try:
            samples = samples_of(profile, part, None, SilentReporter())
            known = known_samples(profile, ancestors, samples)
        except LandslideError:
            continue  # a part may be missing
        if not known:
            continue
        models = [titles[model] for model in dict.fromkeys(sample.model for sample in known)]
        share = f"{len(known)} of the {len(samples.items)} {samples.noun}"
        if len(samples.items) == 1:
            share = f"the only {samples.noun[:-1]}"
        reporter.warn(
            f"{listed(models, most=2)} learned from {share} in {part}, so {at_stake}; "
            f"better put into split.train: {listed([sample.sample for sample in known], most=4)}"
        )
