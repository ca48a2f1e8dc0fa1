"""Maps of this program among layers of labels: whether a person has been at them."""

import numpy as np
import shapely

from landslide_cli.imagery.vector.layers import read_fields

_BOUNDS = ["xmin", "ymin", "xmax", "ymax"]
_FIELDS = ["id", "mean_probability", "model", *_BOUNDS]

# Degrees are rounded to 8 decimals.
_ROUNDED = 2e-8


def is_untouched_map(name: str) -> bool:
    """Tell whether a layer is a map of `infer-tiled`, with all polygons where they were mapped.

    Polygons that were deleted leave a gap in their numbers, drawn ones have none, and those that
    were moved or changed in shape no longer have the bounds that are written beside them. What is
    changed inside its bounds is not noticed, nor are polygons deleted from the end.

    Args:
        name: file, and its layer if it has several.

    Raises:
        DataError: the layer cannot be read.
    """
    read = read_fields(name, _FIELDS)
    if read is None:
        return False
    fields, geometries = read
    numbers = np.sort(fields["id"].astype(float))
    if not np.array_equal(numbers, np.arange(1, len(numbers) + 1)):
        return False
    written = np.column_stack([fields[bound].astype(float) for bound in _BOUNDS])
    return bool(np.allclose(shapely.bounds(geometries), written, rtol=1e-12, atol=_ROUNDED))
