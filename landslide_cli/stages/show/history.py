"""The epochs of a training, as its run has recorded them."""

import csv
from dataclasses import dataclass

from landslide_cli.profile import Profile
from landslide_cli.profile.train import higher_is_better
from landslide_cli.records import check_file
from landslide_cli.runs.files import METRICS, RUN_RECORD


@dataclass(frozen=True)
class History:
    """The logged values of each epoch by their names, and the epoch that was kept, from 1."""

    rows: list[dict[str, float]]
    best_epoch: int


def history_of(profile: Profile) -> History | None:
    """Return the epochs of the profile's run; None without a training.

    Raises:
        DataError: the log is not the one that the run has written.
    """
    try:
        path = profile.run_folder / METRICS
        check_file(path, path.with_name(RUN_RECORD))
        with path.open(newline="", encoding="utf-8") as file:
            rows = [
                {name: float(value) for name, value in row.items()} for row in csv.DictReader(file)
            ]
    except OSError:
        return None
    monitored = profile.train.watch
    if monitored in rows[0]:
        choose = max if higher_is_better(monitored) else min
        best = choose(rows, key=lambda row: row[monitored])
    else:
        best = rows[-1]  # trained without a validation set
    return History(rows, round(best["epoch"]))
