"""The polygons of `source.labels`: their layers and files, their classes, and what has a label."""

from collections import Counter
from pathlib import Path

import numpy as np

from landslide_cli.core.palette import IGNORE
from landslide_cli.dataset.finding import existing, find_files
from landslide_cli.errors import DataError, counted, listed
from landslide_cli.imagery.raster.addresses import is_virtual
from landslide_cli.imagery.raster.scene_files import files_of
from landslide_cli.imagery.vector.label_masks import ClassedLayer, LabelRules
from landslide_cli.imagery.vector.layers import divide_layer, read_polygons
from landslide_cli.profile import ClassFieldSettings, LabelSettings, Profile


def layer_names(labels: LabelSettings) -> list[str]:
    """Name the layers, those of patterns one by one.

    Raises:
        DataError: there is no such file.
    """
    names = []
    for name in labels.layers:
        file, _ = divide_layer(name)
        # A database or a service is no file.
        is_one = existing(file) is not None or ":" in file
        found = [] if is_one else [str(path) for path in find_files(file)]
        if not is_one and not found:
            raise DataError(f"{file}: no such file; name vector files in source.labels.files")
        names += [name.replace(file, path, 1) for path in found] or [name]
    return names


def layer_files(name: str) -> list[Path]:
    """Return the files of a layer: several of a shapefile, none of a service or an address."""
    path = existing(divide_layer(name)[0])
    if path is None:
        return []
    if is_virtual(path) and not path.exists():
        return files_of([path])
    if path.is_dir():
        return sorted(inner for inner in path.iterdir() if inner.is_file())
    if path.suffix.lower() != ".shp":
        return [path]
    beside = (path.with_suffix(suffix) for suffix in (".dbf", ".shx", ".prj", ".cpg"))
    return [path, *(part for part in beside if part.exists())]


def read_layer(
    profile: Profile, labels: LabelSettings, name: str, may_be_empty: bool = False
) -> ClassedLayer:
    """Read a layer and give each polygon its class; one without any feature only on request.

    Raises:
        DataError: it cannot be used, or its field has values without a class.
    """
    chosen, names = labels.class_, profile.palette.names
    field = chosen.field if isinstance(chosen, ClassFieldSettings) else None
    layer = read_polygons(name, field, labels.where, labels.crs, may_be_empty=may_be_empty)
    if not isinstance(chosen, ClassFieldSettings):
        index = profile.palette.foreground[0] if chosen is None else names.index(chosen)
        return ClassedLayer(layer, np.full(len(layer.geometries), index, np.uint8))
    class_of = chosen.values or {value: value for value in names}
    indices = {
        str(value): IGNORE if to is None else names.index(to) for value, to in class_of.items()
    }
    values = ["null" if value is None else value for value in layer.values]
    unknown = Counter(value for value in values if value not in indices)
    if unknown:
        told = [f"'{value}' ({counted(count, 'polygon')})" for value, count in unknown.items()]
        raise DataError(
            f"{name}: the field '{field}' has values without a class: {listed(told, most=5)}; "
            "name them in source.labels.class.values"
        )
    return ClassedLayer(layer, np.array([indices[value] for value in values], np.uint8))


def read_rules(labels: LabelSettings) -> LabelRules:
    """Read what tells which pixels have a label.

    Raises:
        DataError: the layer of what was examined cannot be used.
    """
    area = None if labels.area is None else read_polygons(labels.area, crs=labels.crs)
    return LabelRules(area, labels.edge_size, labels.all_touched)
