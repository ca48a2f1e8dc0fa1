"""`source.labels`: polygons of vector layers as the labels of scenes."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from landslide_cli.profile.base import Settings, wrong
from landslide_cli.profile.lengths import LengthUnit, length_of

Layer = Annotated[str, Field(min_length=1)]


class ClassFieldSettings(Settings):
    """The classes of polygons by a field of their attributes."""

    field: str = Field(min_length=1, description="Name of the field.")
    values: dict[str | int, str | None] | None = Field(
        None,
        min_length=1,
        description="The class of each value; `null` for polygons whose ground has no label. "
        "Default: the values are names of classes, as in maps of `infer-tiled`.",
    )


class LabelSettings(Settings):
    """Polygons as labels."""

    model_config = ConfigDict(serialize_by_alias=True)

    files: Layer | Annotated[list[Layer], Field(min_length=1)] = Field(
        description="Vector files (GeoPackage, shapefile, GeoJSON, FlatGeobuf or whatever GDAL "
        "reads), each with its layer if it has several, such as "
        "`inventory.gpkg|layername=slides`; or patterns of files.",
    )
    class_: str | ClassFieldSettings | None = Field(
        None,
        alias="class",
        description="The class of all polygons; or `field` and `values`, a field of their "
        "attributes and the class of each of its values (`null`: no label). Default: the first "
        "of the foreground.",
    )
    where: str | None = Field(
        None, min_length=1, description="Filter of the polygons, as in SQL: `year >= 2018`."
    )
    area: Layer | None = Field(
        None, description="Layer of what was examined: outside its polygons there is no label."
    )
    crs: str | None = Field(
        None, min_length=1, description="CRS of layers that name none, such as `EPSG:4326`."
    )
    edge: str | None = Field(
        None,
        min_length=1,
        description="Distance from an outline, on both sides, within which there is no label: "
        "`2 px` or `1.5 m`.",
    )
    all_touched: bool = Field(
        False, description="Label all pixels that a polygon touches, not those whose middle it has."
    )
    empty: Literal["background", "error"] = Field(
        "background", description="What a scene without any polygon is."
    )

    @property
    def layers(self) -> list[str]:
        """The layers of polygons; a single one as a list of one."""
        return [self.files] if isinstance(self.files, str) else self.files

    @property
    def edge_size(self) -> tuple[float, LengthUnit] | None:
        """The distance from outlines without a label, and its unit."""
        return None if self.edge is None else length_of(self.edge)

    @property
    def class_names(self) -> list[str]:
        """The classes that polygons are given, if any are named."""
        if isinstance(self.class_, ClassFieldSettings):
            return [name for name in (self.class_.values or {}).values() if name is not None]
        return [] if self.class_ is None else [self.class_]

    def check(self, key: str, classes: tuple[str, ...]) -> None:
        """Check what spans several keys; `key` is the section's own.

        Raises:
            PydanticCustomError: they do not go together.
        """
        unknown = [name for name in self.class_names if name not in classes]
        if unknown:
            raise wrong(f"{key}.class", f"there is no class '{unknown[0]}' in `classes`")
        if self.edge is not None and self.edge_size is None:
            raise wrong(f"{key}.edge", "must be pixels or metres, such as `2 px` or `1.5 m`")
