"""The epochs of a training, as its run has recorded them."""

import csv

from landslide_cli.profile import Profile
from landslide_cli.profile.train import higher_is_better
from landslide_cli.records import check_file
from landslide_cli.runs.files import METRICS, RUN_RECORD

# The values of each epoch, and the epoch that was kept.
History = tuple[list[dict[str, float]], int]


def history_of(profile: Profile) -> History | None:
    """Return the logged values of each epoch and the best epoch; None without a training.

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
    return rows, round(best["epoch"])
