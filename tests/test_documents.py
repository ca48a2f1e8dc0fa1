"""JSON documents are read as they were written, or not at all."""

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from landslide_cli.documents import damaged_record, read_json, restored, write_json
from landslide_cli.errors import DataError
from landslide_cli.runs.files import PACKAGED
from tests.mutations import mutations

WITH_FILES = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])

numbers = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
leaves = st.none() | st.booleans() | numbers | st.text(max_size=8)
keys = st.text(max_size=4)
values = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3)
)
documents = st.dictionaries(keys, values, max_size=4)

DOCUMENT = {"name": "größer", "list": [1, 2.5, None], "result": {"scale": 0.25, "flag": True}}


def changed(value: Any) -> Iterator[Any]:
    """Every document in which one value, key or entry is another."""
    if isinstance(value, dict):
        yield {**value, "another": None}
        for key in value:
            rest = {name: inner for name, inner in value.items() if name != key}
            yield rest
            yield {**rest, f"{key}x": value[key]}
            yield from ({**value, key: inner} for inner in changed(value[key]))
    elif isinstance(value, list):
        yield [*value, 0]
        for index, item in enumerate(value):
            yield [*value[:index], *value[index + 1 :]]
            yield from ([*value[:index], inner, *value[index + 1 :]] for inner in changed(item))
    elif isinstance(value, str):
        yield value + "0"
    elif isinstance(value, float):
        yield math.nextafter(value, math.inf)
    else:
        yield 7 if value in (None, True, False) else value + 1


def in_another_order(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: in_another_order(value[key]) for key in reversed(value)}
    return [in_another_order(item) for item in value] if isinstance(value, list) else value


@WITH_FILES
@given(document=documents)
def test_document_is_read_as_it_was_written_whatever_its_form(
    tmp_path: Path, document: dict[str, Any]
) -> None:
    path = tmp_path / "run.json"
    write_json(path, document)
    assert read_json(path) == document
    sealed = json.loads(path.read_text(encoding="utf-8"))
    for indent in (None, 7):
        path.write_text(json.dumps(in_another_order(sealed), indent=indent, ensure_ascii=False))
        assert read_json(path) == document


@WITH_FILES
@given(document=documents)
def test_any_change_of_a_value_is_refused(tmp_path: Path, document: dict[str, Any]) -> None:
    path = tmp_path / "run.json"
    write_json(path, document)
    digest = json.loads(path.read_text(encoding="utf-8"))["sha256"]
    for other in changed(document):
        path.write_text(json.dumps({**other, "sha256": digest}), encoding="utf-8")
        with pytest.raises(DataError, match="changed after it was written"):
            read_json(path)


def test_file_is_readable_and_ends_with_its_digest(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", DOCUMENT)
    text = (tmp_path / "a.json").read_text(encoding="utf-8")
    assert list(json.loads(text)) == [*DOCUMENT, "sha256"]
    assert '    "scale": 0.25,\n' in text
    assert text.endswith("}\n")
    write_json(tmp_path / "a.json", DOCUMENT, indent=None)
    assert (tmp_path / "a.json").read_text(encoding="utf-8").count("\n") == 1


@pytest.mark.parametrize("keys", [(9, 10), (2, 10, 1)])
def test_numbers_as_keys_become_text(tmp_path: Path, keys: tuple[int, ...]) -> None:
    write_json(tmp_path / "a.json", {"counts": {key: key for key in keys}})
    assert read_json(tmp_path / "a.json") == {"counts": {str(key): key for key in keys}}


def test_a_number_that_json_does_not_have_is_refused(tmp_path: Path) -> None:
    for number in (float("nan"), float("inf")):
        with pytest.raises(ValueError, match="not JSON compliant"):
            write_json(tmp_path / "new" / "a.json", {"loss": number})
    assert list(tmp_path.iterdir()) == []


def test_damaged_file_is_never_read_as_something_else(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    write_json(path, DOCUMENT)
    for damage, damaged in mutations(path.read_bytes(), count=300):
        path.write_bytes(damaged)
        try:
            document = read_json(path)
        except DataError as error:
            assert str(path) in str(error), damage
        else:
            assert document == DOCUMENT, damage


def test_digest_under_a_damaged_key_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    write_json(path, DOCUMENT)
    path.write_text(path.read_text(encoding="utf-8").replace("sha256", "sha257"))
    with pytest.raises(DataError, match="changed after it was written"):
        read_json(path)


def test_documents_of_version_0_1_0_have_no_digest_and_are_read(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text(json.dumps(DOCUMENT), encoding="utf-8")
    assert read_json(tmp_path / "run.json") == DOCUMENT


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("prepare.json", "`landslide prepare --overwrite` makes it again"),
        ("split.json", "`landslide split --overwrite` makes it again"),
        ("run.json", "`landslide train --overwrite` makes it again"),
        ("threshold.json", "`landslide train --overwrite` makes it again"),
        ("evaluation.json", "`landslide evaluate` makes it again"),
        ("precision.json", "`landslide infer-tiled` makes it again"),
        ("infer.json", "move the folder away"),
        ("other.json", "delete it"),
    ],
)
def test_message_says_what_and_where_and_which_command_helps(
    tmp_path: Path, name: str, remedy: str
) -> None:
    (tmp_path / name).write_text('{"a"')
    with pytest.raises(DataError, match="is empty, cut short or no JSON") as caught:
        read_json(tmp_path / name)
    first, second = str(caught.value).splitlines()
    assert first.startswith(f"{tmp_path / name}: ")
    assert remedy in second


def test_what_is_damaged_in_the_package_is_installed_again() -> None:
    assert "install" in str(damaged_record(PACKAGED / "run.json", "it is empty"))


@dataclass(frozen=True)
class Inner:
    pair: tuple[float, float]


@dataclass(frozen=True)
class Thing:
    count: int
    kind: Literal["a", "b"]
    inner: Inner
    scale: float = 1.0


WHOLE: dict[str, Any] = {"count": 3, "kind": "a", "inner": {"pair": [1, 2.5]}}


def test_dataclass_is_restored_from_json(tmp_path: Path) -> None:
    assert restored(Thing, WHOLE, tmp_path) == Thing(3, "a", Inner((1.0, 2.5)))
    assert restored(Thing, WHOLE | {"scale": 2}, tmp_path).scale == 2.0
    assert restored(Thing, WHOLE | {"more": 1}, tmp_path, others=True).count == 3


@pytest.mark.parametrize(
    ("fields", "key"),
    [
        ({"count": "3"}, "count"),
        ({"count": 3.5}, "count"),
        ({"count": None}, "count"),
        ({"kind": "c"}, "kind"),
        ({"inner": {"pair": [1]}}, "pair"),
        ({"inner": {"pair": "12"}}, "pair"),
        ({"inner": {}}, "pair"),
        ({"inner": []}, "inner"),
        ({"scale": True}, "scale"),
        ({"scald": 2.0}, "scald"),
    ],
)
def test_field_of_another_form_is_named(fields: dict[str, Any], key: str) -> None:
    with pytest.raises(DataError, match=rf"run\.json: .*{key}.*\n.*landslide train"):
        restored(Thing, WHOLE | fields, Path("run.json"))


@pytest.mark.parametrize("document", [{}, [], None, 3, "count"])
def test_what_has_no_fields_is_refused(document: Any) -> None:
    with pytest.raises(DataError, match=r"run\.json: cannot be read as a record"):
        restored(Thing, document, Path("run.json"))
