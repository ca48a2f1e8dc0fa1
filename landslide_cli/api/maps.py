"""What `map_scenes` returns: the maps of scenes, with their polygons for GeoPandas."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from landslide_cli.errors import DataError
from landslide_cli.imagery.vector.polygon_files import layer_of
from landslide_cli.stages.infer.result import InferResult

if TYPE_CHECKING:
    from geopandas import GeoDataFrame

# Files with polygons of which GeoPandas reads all, the first that there is.
_FORMATS = ("gpkg", "geojson")

# Longitude and latitude on WGS 84.
_GEOGRAPHIC = "EPSG:4326"


@dataclass(frozen=True)
class Maps(InferResult):
    """Mapped scenes; `scenes[0].files` are the paths of the first one's maps."""

    def to_geodataframe(self) -> "GeoDataFrame":
        """Return the polygons of all scenes as one table, with the scene of each.

        It is in the CRS of the scenes where they have one in common, otherwise in longitude and
        latitude. GeoPandas is needed: `pip install 'landslide-cli[geopandas]'`.

        Raises:
            ImportError: GeoPandas is not installed.
            DataError: of a scene no GeoPackage or GeoJSON was written, or only some of the scenes
                are georeferenced.
        """
        try:
            import geopandas
        except ImportError:
            raise ImportError(
                "GeoPandas is not installed; pip install 'landslide-cli[geopandas]'"
            ) from None
        import pandas

        files = [
            scene.files[kind]
            for scene in self.scenes
            for kind in [next((kind for kind in _FORMATS if kind in scene.files), None)]
            if kind is not None
        ]
        if len(files) < len(self.scenes):
            raise DataError(f"infer.polygons is not one of {' and '.join(_FORMATS)}: no polygons")
        tables = [geopandas.read_file(path, layer=layer_of(path)) for path in files]
        if len({table.crs for table in tables}) > 1:
            if not all(table.crs.is_geographic or table.crs.is_projected for table in tables):
                raise DataError("only some of the scenes are georeferenced; read them one by one")
            tables = [table.to_crs(_GEOGRAPHIC) for table in tables]
        crs = tables[0].crs
        return geopandas.GeoDataFrame(pandas.concat(tables, ignore_index=True), crs=crs)
