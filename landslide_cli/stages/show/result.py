"""The outcome of `landslide show`: the pictures, or the layers of the network."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from landslide_cli.reporting import Result, Table


@dataclass(frozen=True)
class ShowResult(Result):
    """The pictures written, and the layers of the network if they were asked for.

    `gflop` is the work of a forward pass over a square tile with sides of `tile` pixels. `sizes`
    are the distributions of the areas of mapped landslides, one per unit, with what fits them.
    """

    files: list[Path] = field(default_factory=list)
    layers: list[dict[str, Any]] = field(default_factory=list)
    parameters: int = 0
    gflop: float = 0.0
    tile: int = 0
    sizes: list[dict[str, Any]] = field(default_factory=list)

    def headline(self) -> str:
        """Return the size of the network, if it was asked for, and the paths of the pictures."""
        size = [self.size()] if self.layers else []
        return "\n".join([*size, *map(str, self.files)])

    def size(self) -> str:
        """Return the parameters and the work of the network in words."""
        return (
            f"{self.parameters:,} parameters, {self.gflop:.1f} GFLOP per tile of "
            f"{self.tile} x {self.tile} pixels"
        )

    def tables(self) -> Sequence[Table]:
        if not self.layers:
            return []
        rows = [
            (
                layer["name"],
                layer["kind"],
                " x ".join(str(side) for side in layer["shape"]),
                f"{layer['parameters']:,}",
                f"{layer['gflop']:.3f}",
            )
            for layer in self.layers
        ]
        columns = ["name", "kind", "output", "parameters", "GFLOP"]
        return [Table("layers", columns, rows, least=["kind", "output"])]

    def document(self) -> dict[str, Any]:
        """Return the pictures, or the layers of the network, as JSON values."""
        files = {"files": [str(path) for path in self.files]}
        if not self.layers:
            return files | ({"sizes": self.sizes} if self.sizes else {})
        return {
            "tile": self.tile,
            "parameters": self.parameters,
            "gflop": self.gflop,
            "layers": self.layers,
            **files,
        }
