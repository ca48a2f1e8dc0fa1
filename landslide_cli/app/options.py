"""The options of the commands, declared once; each has a group in the help."""

from pathlib import Path
from typing import Annotated, Any, Literal

from typer import Argument, Option

from landslide_cli.core.parts import Part


def _completed(incomplete: str) -> list[tuple[str, str]]:
    """Complete what follows `--set` in a shell."""
    from landslide_cli.profile.completion import completions

    return completions(incomplete)


def _option(panel: str, *names: str, **rest: Any) -> Any:
    return Option(*names, rich_help_panel=panel, **rest)


def _flag(panel: str, *names: str, **rest: Any) -> Any:
    # Typer would show <bool>, as if a value had to follow.
    return _option(panel, *names, metavar=" ", **rest)


# Groups of options in the help.
_PROFILE, _MESSAGES = "Profile and input", "Messages"
_RESULTS, _COMPUTING = "Results", "Computing"
_MODEL = "Model (short forms of settings)"

# Of all commands.
ProfilePath = Annotated[
    Path | None,
    Argument(
        metavar="PROFILE",
        show_default=False,
        help="The YAML profile; `landslide` is that of the packaged model.",
    ),
]
Sets = Annotated[
    list[str] | None,
    _option(
        _PROFILE,
        "--set",
        metavar="KEY=VALUE",
        help="Override a key, such as train.epochs=3.",
        autocompletion=_completed,
    ),
]
Fold = Annotated[
    int | None, _option(_PROFILE, min=1, metavar="K", help="Fold to use; sets fold=K.")
]
Limit = Annotated[
    int | None,
    _option(
        _PROFILE, min=1, metavar="N", help="Use only the first N scenes or tiles (smoke runs)."
    ),
]
Quiet = Annotated[bool, _flag(_MESSAGES, "--quiet", "-q", help="No progress, notes or warnings.")]
Json = Annotated[bool, _flag(_MESSAGES, "--json", help="Print the result or error as JSON.")]
Debug = Annotated[bool, _flag(_MESSAGES, "--debug", help="Show the traceback of an error.")]

# Of several commands.
Overwrite = Annotated[
    bool, _flag(_RESULTS, "--overwrite", help="Recompute and replace existing results.")
]
Output = Annotated[Path | None, _option(_RESULTS, metavar="DIR", help="Output folder.")]

# Of one command each.
Init = Annotated[
    tuple[str, str] | None,
    _option(
        _RESULTS,
        metavar="IMAGES LABELS",
        help="Write a first PROFILE instead, after a look at images and their masks or polygons: "
        "files, folders or globs in quotes.",
    ),
]
Audit = Annotated[
    bool,
    _flag(
        _RESULTS,
        "--audit",
        help="Check an existing split for leakage instead (read-only; exit status 1 if any).",
    ),
]
On = Annotated[Part | None, _option(_RESULTS, "--on", help="Part to score.")]
Folds = Annotated[bool, _flag(_RESULTS, "--folds", help="Pool all folds, one model each.")]
Against = Annotated[
    Path | None,
    _option(_RESULTS, metavar="RUN", help="Compare with another run on the same scenes."),
]
Inventory = Annotated[
    str | None,
    _option(
        _RESULTS,
        metavar="LAYER",
        help="Compare the labels with another inventory instead, without a model: a vector file, "
        "or `FILE|layername=LAYER`.",
    ),
]
Scenes = Annotated[
    list[str] | None,
    Argument(metavar="SCENES", help="Files, folders or globs. Default: the test scenes."),
]
Gsd = Annotated[
    float | None,
    _option(
        _MODEL,
        metavar="METRES",
        help="Metres per pixel that the model is to see; sets infer.gsd.",
    ),
]
Threshold = Annotated[
    float | None,
    _option(
        _MODEL,
        metavar="P",
        help="Least probability of a landslide, between 0 and 1; sets infer.threshold.",
    ),
]
Tta = Annotated[
    Literal["none", "flips", "symmetries"] | None,
    _option(
        _MODEL,
        metavar="VIEWS",
        help="Average over views: none, flips (4) or symmetries (8); sets infer.tta.",
    ),
]
Probability = Annotated[bool, _flag(_RESULTS, "--probability", help="Also write probabilities.")]
Scheduler = Annotated[
    str | None,
    _option(
        _COMPUTING,
        metavar="ADDRESS",
        help="Distribute the work over a Dask cluster: tcp://HOST:PORT, or local:N for N processes "
        "on this machine.",
    ),
]
Model = Annotated[bool, _flag(_RESULTS, "--model", help="List and draw the network instead.")]
Augmentations = Annotated[
    bool, _flag(_RESULTS, "--augmentations", help="Draw augmented training examples instead.")
]
Export = Annotated[
    Literal["onnx", "litert"] | None,
    _option(
        _RESULTS,
        metavar="FORMAT",
        help="Write the model for other programs instead: onnx, as QGIS's plugin Deepness reads, "
        "or litert (TensorFlow Lite).",
    ),
]
