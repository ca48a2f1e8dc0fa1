"""What GDAL does not write into a GeoPackage: tables of its extensions, added in memory.

Names of columns for people are those of the schema extension (OGC 12-128r15, annex F.9). GDAL reads
them as alternative names, QGIS as aliases.
"""

import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing

# The version that is written: GDAL from 2.2 on reads it, and older ones than 3.7 warn of 1.4.
VERSION = "1.2"

_DATA_COLUMNS = """
CREATE TABLE gpkg_data_columns (
  table_name TEXT NOT NULL, column_name TEXT NOT NULL, name TEXT, title TEXT, description TEXT,
  mime_type TEXT, constraint_name TEXT,
  CONSTRAINT pk_gdc PRIMARY KEY (table_name, column_name),
  CONSTRAINT gdc_tn UNIQUE (table_name, name))
"""
_DATA_COLUMN_CONSTRAINTS = """
CREATE TABLE gpkg_data_column_constraints (
  constraint_name TEXT NOT NULL, constraint_type TEXT NOT NULL, value TEXT, min NUMERIC,
  min_is_inclusive BOOLEAN, max NUMERIC, max_is_inclusive BOOLEAN, description TEXT,
  CONSTRAINT gdcc_ntv UNIQUE (constraint_name, constraint_type, value))
"""
_EXTENSION = "http://www.geopackage.org/spec120/#extension_schema"
_EXTENSIONS = """
CREATE TABLE IF NOT EXISTS gpkg_extensions (
  table_name TEXT, column_name TEXT, extension_name TEXT NOT NULL, definition TEXT NOT NULL,
  scope TEXT NOT NULL, CONSTRAINT ge_tce UNIQUE (table_name, column_name, extension_name))
"""

# Where the header of a file tells which SQLite wrote it last.
_WRITER = slice(96, 100)


def titled(geopackage: bytes, layer: str, titles: Mapping[str, str]) -> bytes:
    """Put names of columns for people into a GeoPackage.

    Args:
        geopackage: the file, without such names.
        layer: name of its layer.
        titles: by the names of the columns.
    """

    def add(database: sqlite3.Connection) -> None:
        for table in (_DATA_COLUMNS, _DATA_COLUMN_CONSTRAINTS, _EXTENSIONS):
            database.execute(table)
        database.executemany(
            "INSERT INTO gpkg_data_columns (table_name, column_name, name, title) "
            "VALUES (?, ?, ?, ?)",
            [(layer, column, column, title) for column, title in titles.items()],
        )
        database.executemany(
            "INSERT INTO gpkg_extensions VALUES (?, NULL, 'gpkg_schema', ?, 'read-write')",
            [
                (table, _EXTENSION)
                for table in ("gpkg_data_columns", "gpkg_data_column_constraints")
            ],
        )

    return edited(geopackage, add)


def edited(geopackage: bytes, edit: Callable[[sqlite3.Connection], None]) -> bytes:
    """Return a GeoPackage after an edit of its database."""
    with closing(sqlite3.connect(":memory:")) as database:
        database.deserialize(geopackage)
        edit(database)
        database.commit()
        result = bytearray(database.serialize())
    # Whether TensorFlow, with an SQLite of its own, is loaded must not change a bit.
    result[_WRITER] = geopackage[_WRITER]
    return bytes(result)
