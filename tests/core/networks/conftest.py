"""A fixture for tests of a network's structure."""

from collections.abc import Iterator

import pytest

from landslide_cli.core.networks.backend import keras


@pytest.fixture
def without_values() -> Iterator[None]:
    """Build networks whose weights have shapes but no values, in a fraction of the time."""
    with keras.StatelessScope(initialize_variables=False):
        yield
    # Keras would initialize these weights when the next such scope ends.
    keras.utils.clear_session(free_memory=False)
