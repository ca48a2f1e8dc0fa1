"""JSON documents that tell whether they are as this program wrote them.

The last key of each is `sha256`, the digest of all others. White space and the order of keys do
not count; a value that differs, by hand or by a disk, is refused. Documents of version 0.1.0 have
no digest and are read as they are.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, cast

from pydantic import TypeAdapter, ValidationError

from landslide_cli.errors import DataError
from landslide_cli.outputs import write_text
from landslide_cli.weights import FOLDER

T = TypeVar("T")

# Not `digest`, a key that older records of a converted model have.
SEAL = "sha256"

# The command that makes a file again, by its name.
_MADE_BY = {
    "prepare.json": "landslide prepare --overwrite",
    "manifest.csv": "landslide prepare --overwrite",
    "split.json": "landslide split --overwrite",
    "unfinished.json": "landslide train --overwrite",
    "run.json": "landslide train --overwrite",
    "threshold.json": "landslide train --overwrite",
    "model.keras": "landslide train --overwrite",
    "metrics.csv": "landslide train --overwrite",
    "precision.json": "landslide infer-tiled",
    "evaluation.json": "landslide evaluate",
    "folds.json": "landslide evaluate",
}
# Only its record tells which files of a folder may be replaced.
_REMEDIES = {
    "infer.json": "move the folder away and run `landslide infer-tiled` again, or name another one"
}


def write_json(path: Path, document: Mapping[str, Any], indent: int | None = 2) -> None:
    """Write a JSON document with its digest, whole or not at all; NaN is refused.

    Args:
        path: of the file.
        document: without the key `sha256`.
        indent: spaces of a level; None for one line.
    """
    # As it will be read: JSON's keys are text, which is sorted otherwise than numbers.
    plain = json.loads(json.dumps(document, allow_nan=False))
    sealed = {**plain, SEAL: _digest(plain)}
    write_text(path, json.dumps(sealed, indent=indent, allow_nan=False) + "\n")


def read_json(path: Path) -> dict[str, Any] | None:
    """Read a JSON document of this program, without its digest; None where there is none.

    Raises:
        DataError: it is damaged, was changed since it was written, or is no JSON object.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise damaged_record(path, error.strerror or "it cannot be opened") from None
    except (ValueError, RecursionError):
        raise damaged_record(path, "it is empty, cut short or no JSON") from None
    if not isinstance(document, dict):
        raise damaged_record(path, "it is no JSON object")
    if _is_sealed(document) and document.pop(SEAL, None) != _digest(document):
        raise damaged_record(path, "it was changed after it was written")
    return document


def restored(kind: type[T], document: Any, path: Path, others: bool = False) -> T:
    """Restore a dataclass from its fields in a JSON document; types are not converted.

    Args:
        kind: the dataclass.
        document: the fields; those with a default may be missing. Lists become tuples where the
            dataclass has any.
        path: of the record, for messages.
        others: whether the document may have other fields too.

    Raises:
        DataError: a field is missing, of another type, or not one of the dataclass's.
    """
    try:
        value: T = _adapter(cast(Any, kind)).validate_json(json.dumps(document), strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        reason = first["msg"][0].lower() + first["msg"][1:]
        raise damaged_record(path, f"`{key}`: {reason}" if key else reason) from None
    unknown = document.keys() - {field.name for field in fields(cast(Any, kind))}
    if unknown and not others:
        raise damaged_record(path, f"`{min(unknown)}`: no such field")
    return value


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def damaged_record(path: Path, reason: str) -> DataError:
    """Say why a record cannot be read, in a clause, and which command makes it again."""
    return damaged_file(path, f"cannot be read as a record: {reason}")


def damaged_file(path: Path, reason: str) -> DataError:
    """Say why a record, or a file that one describes, cannot be used, and what makes it again."""
    return DataError(f"{path}: {reason};\n{_remedy(path)}")


def _remedy(path: Path) -> str:
    if path.is_relative_to(FOLDER):
        return "it is part of the package landslide-cli; install that again"
    command = _MADE_BY.get(path.name)
    if command is not None:
        return f"`{command}` makes it again"
    return _REMEDIES.get(path.name, "delete it and run its step again")


def _digest(document: Mapping[str, Any]) -> str:
    """Return the digest of a document's canonical form: sorted keys, no white space, ASCII."""
    text = json.dumps(document, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def _is_sealed(document: Mapping[str, Any]) -> bool:
    """Whether a document has a digest, or has it under a key that is damaged."""
    last = next(reversed(list(document.values())), None)
    length = 2 * hashlib.sha256().digest_size
    return SEAL in document or (isinstance(last, str) and len(last) == length)
