"""A small FlexUNet for tests."""

from landslide_cli.profile import FlexUNetSettings


def small(**changes: object) -> FlexUNetSettings:
    settings = {"base_filters": 4, "base_kernels": 5, "num_layers": 3}
    return FlexUNetSettings.model_validate(settings | changes)
