"""The layers of the network, with the shapes of their outputs, their parameters and their work."""

from dataclasses import asdict

from landslide_cli.profile import Profile
from landslide_cli.runs.files import MODEL
from landslide_cli.runs.run import find_run
from landslide_cli.stages.show.result import ShowResult


def list_layers(profile: Profile) -> ShowResult:
    """List the layers of the trained model, or of the one that a training would start from.

    Args:
        profile: its `run`, `model`, `bands` and `classes` are used; the side of its crops or tiles
            gives the shapes.

    Raises:
        ModelError: the trained model cannot be loaded.
    """
    from landslide_cli.core.networks.build import build_model, summarise_layers

    if (profile.run_folder / MODEL).exists():
        model = find_run(profile).load()
    else:
        settings, seed = profile.model, profile.train.seed
        model = build_model(settings, profile.bands, profile.model_outputs, seed)
    tile = profile.tile_side
    layers = [asdict(layer) for layer in summarise_layers(model, tile, tile)]
    for layer in layers:
        layer["gflop"] = layer.pop("flop") / 1e9
    gflop = sum(layer["gflop"] for layer in layers)
    return ShowResult([], layers, model.count_params(), gflop, tile)
