"""YAML that no profile needs is refused in a line before it costs time or memory."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from landslide_cli.errors import ProfileError
from landslide_cli.profile import Profile, dump_profile, load_profile
from tests.mutations import mutations
from tests.profile.cases import Write, message_of

BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{below}'] * 9)}]\n"
    for below, name in zip("abcdefgh", "bcdefghi", strict=True)
)
MERGED_BOMB = BOMB.replace("[x, x, x, x, x, x, x, x, x]", "{x: 1, y: 2}").replace(
    "[*", "{<<: [*"
).replace("]\n", "]}\n")  # fmt: skip


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        (BOMB, 5, "it stands for more than 50,000 values"),
        (MERGED_BOMB, 6, "it stands for more than 50,000 values"),
        ("a: " + "{b: " * 3000 + "1" + "}" * 3000, 1, "it is nested more than 40 levels deep"),
        ("\n".join(f"{' ' * depth}a:" for depth in range(99)), 40, "it is nested more than 40"),
        ("[" * 9000, 1, "it is nested more than 40 levels deep"),
        ("name: x\nclasses: &a\n  - *a\n", 3, "a value contains itself by an alias"),
        ("classes: &a {b: *a}\n", 1, "a value contains itself by an alias"),
        (f"train: {{epochs: {'9' * 5000}}}\n", 1, "a number of 5,000 digits is too large"),
        ("name: x\n[a]: 1\n", 2, "a key must be text"),
        ("name: x\nsplit: {<<: 3}\n", 2, "<< merges mappings alone"),
        ("name: !!binary aGVsbG8=\n", 1, "not valid YAML: the tag !!binary has no meaning"),
        ("name: !!timestamp foo\n", 1, "not valid YAML: the tag !!timestamp has no meaning"),
        ("name: x\nrun: !mine x\n", 2, "not valid YAML: the tag !mine has no meaning"),
        ("train: {epochs: !!int many}\n", 1, "not valid YAML: the tag !!int has no meaning"),
        ("train:\n\tepochs: 3\n", 2, "not valid YAML: found character '\\t' that cannot start any"),
        ("name: a\n---\nname: b\n", 2, "not valid YAML: expected a single document in the stream"),
        ("name: x\nrun: a\0b\n", 2, "not valid YAML: the character U+0000 must not be in it"),
        ('name: x\nrun: "a\\0b"\n', 2, "it contains a character that no text can have"),
        ('name: "\\ud800"\n', 1, "it contains a character that no text can have"),
    ],
)
def test_hostile_yaml_is_refused_in_a_line(
    write_profile: Write, text: str, line: int, says: str
) -> None:
    path = write_profile(text)
    message = message_of(path)
    assert message.startswith(f"{path}:{line}: {says}")
    assert len(message.splitlines()) == 1


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("name: x\n".encode("utf-16"), "it is UTF-16, not UTF-8 text; save it as UTF-8"),
        (b"name: x\n# \xfc\n", "it is not UTF-8 text (line 2); save it as UTF-8"),
        (b"#" * 1_000_001, "it has more than 1,000 kB"),
    ],
)
def test_what_is_no_text_of_a_profile_is_refused(tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / "profile.yaml"
    path.write_bytes(content)
    assert message_of(path) == f"{path}: the profile cannot be read: {says}"


def test_an_endless_file_is_not_read_to_its_end() -> None:
    assert "more than 1,000 kB" in message_of(Path("/dev/zero"))


def test_a_byte_order_mark_may_stand_before_a_profile(tmp_path: Path) -> None:
    path = tmp_path / "profile.yaml"
    path.write_bytes(b"\xef\xbb\xbfname: x\r\nbands: 4\r\n")
    assert (load_profile(path).name, load_profile(path).bands) == ("x", 4)


def test_a_key_overrides_one_that_is_merged(write_profile: Write) -> None:
    path = write_profile(
        "train: &base {epochs: 3, batch: 2, augment: {hflip: {probability: 0.5}}}\n"
        "split: {train: 0.6, <<: [{valid: 0.2, train: 0.1}, {valid: 0.9, test: 0.2}]}\n"
    )
    split = load_profile(path).split
    assert (split.train, split.valid, split.test) == (0.6, 0.2, 0.2)


def test_a_wrong_value_that_is_merged_is_found_where_it_stands(write_profile: Write) -> None:
    path = write_profile("name: x\ntrain:\n  <<:\n    epochs: 0\n  batch: 3\n")
    assert message_of(path).startswith(f"{path}:4: train.epochs is 0")


def test_values_may_be_shared_by_aliases(write_profile: Write) -> None:
    path = write_profile("source: {zoom: &z [1.0, 2.0], value_range: *z}\n")
    assert load_profile(path).sources[0].value_range == (1.0, 2.0)


def test_dates_are_words(write_profile: Write) -> None:
    assert load_profile(write_profile("name: 2020-01-01\n")).name == "2020-01-01"


@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("name=" + "[" * 5000, "it is nested more than 40 levels deep"),
        ("train.epochs=" + "9" * 5000, "a number of 5,000 digits is too large"),
        ("a" + ".a" * 5000 + "=1", "write it as key=value"),
        ("classes." + "9" * 5000 + "=1", "there is no classes.9999"),
        ("name=!!binary aaa", "the tag !!binary has no meaning"),
        ("name=\udcff", "the value is not valid YAML"),
        ("\udcff=1", "write it as key=value"),
        ("float=3", "unknown key 'float' in a profile"),
        ("a\nb=3", "unknown key 'a\\nb' in a profile"),
    ],
)
def test_hostile_overrides_are_refused_in_a_line(
    write_profile: Write, override: str, says: str
) -> None:
    message = message_of(write_profile("name: x\n"), override)
    assert message.startswith("--set ")
    assert says in message
    assert len(message) < 400
    assert len(message.splitlines()) == 1


def test_a_damaged_profile_is_read_or_refused_in_two_lines(tmp_path: Path) -> None:
    path = tmp_path / "profile.yaml"
    for how, content in mutations(dump_profile(Profile()).encode()):
        path.write_bytes(content)
        try:
            load_profile(path)
        except ProfileError as error:
            assert len(str(error).splitlines()) <= 2, how


@given(st.binary(max_size=40) | st.text("{}[]<>&*a:-,!|? \n'\"#%0.e", max_size=40).map(str.encode))
def test_any_file_is_a_profile_or_an_error_of_ours(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_bytes(content)
    try:
        load_profile(path, [content.decode("latin-1")])
    except ProfileError as error:
        assert error.exit_status == 2
