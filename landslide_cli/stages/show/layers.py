"""The layers of the network with shapes, parameters and work, and a picture of its blocks."""

from dataclasses import asdict
from pathlib import Path

from landslide_cli.core.diagram import blocks_of
from landslide_cli.imagery.diagram import plot_network
from landslide_cli.profile import Profile
from landslide_cli.runs.files import MODEL
from landslide_cli.runs.run import find_run
from landslide_cli.stages.show.result import ShowResult


def list_layers(profile: Profile, path: Path) -> ShowResult:
    """List and draw the layers of the trained model, or of what a training would start from.

    Args:
        profile: its `run`, `model`, `bands` and `classes` are used; the side of its crops or tiles
            gives the shapes.
        path: of the picture.

    Raises:
        ModelError: the trained model cannot be loaded.
    """
    from landslide_cli.core.networks.build import build_model
    from landslide_cli.core.networks.summary import operations_of, summarise_layers

    if (profile.run_folder / MODEL).exists():
        model = find_run(profile).load()
    else:
        settings, seed = profile.model, profile.train.seed
        model = build_model(settings, profile.model_inputs, profile.model_outputs, seed)
    tile = profile.tile_side
    layers = [asdict(layer) for layer in summarise_layers(model, tile, tile)]
    for layer in layers:
        layer["gflop"] = layer.pop("flop") / 1e9
    gflop = sum(layer["gflop"] for layer in layers)
    result = ShowResult([path], layers, model.count_params(), gflop, tile)
    title = f"{profile.model.architecture}: {result.size()}"
    plot_network(path, title, blocks_of(operations_of(model, tile, tile)))
    return result
