"""Files that were damaged: seeded changes of bytes, files cut short, emptied, doubled, nested."""

from collections.abc import Iterator

import numpy as np


def mutations(content: bytes, count: int = 50, seed: int = 25) -> Iterator[tuple[str, bytes]]:
    """Yield damaged forms of a file's content, each with what was done to it; never the content."""
    rng = np.random.default_rng(seed)
    plain = [
        ("emptied", b""),
        ("doubled", content * 2),
        ("half of it", content[: len(content) // 2]),
    ]
    plain += [("nested", b"[" * 100_000), ("noughts", b"\0" * len(content)), ("null", b"null\n")]
    yield from plain
    for number in range(count - len(plain)):
        place, byte = int(rng.integers(len(content))), bytes([int(rng.integers(256))])
        kinds = {
            f"byte {place} is {byte!r}": content[:place] + byte + content[place + 1 :],
            f"cut at {place}": content[:place],
            f"bytes lost at {place}": content[:place] + content[place + int(rng.integers(1, 9)) :],
            f"doubled from {place}": content + content[place:],
            f"digits changed after {place}": content[:place] + _other_digits(content[place:]),
        }
        name = list(kinds)[number % len(kinds)]
        if kinds[name] != content:
            yield name, kinds[name]


def _other_digits(content: bytes) -> bytes:
    """Change the next digit that there is."""
    for index, byte in enumerate(content):
        if chr(byte).isdigit():
            return content[:index] + b"%d" % ((byte - ord("0") + 3) % 10) + content[index + 1 :]
    return content
