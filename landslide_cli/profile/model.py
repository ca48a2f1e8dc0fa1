"""The network: `model`, whose keys depend on `model.architecture`."""

from typing import Annotated, Any, Literal, Self

from pydantic import Discriminator, Field, Tag, model_validator

from landslide_cli.profile.base import Settings, wrong

Width = Annotated[int, Field(ge=1, le=2048)]

EncoderName = Literal[
    "efficientnet_lite0", "efficientnet_lite2", "efficientnetv2_b0", "efficientnetv2_b1",
    "efficientnetv2_b2", "efficientnetv2_b3", "convnext_tiny", "mobilenetv3_large", "resnet50v2",
]  # fmt: skip

_WITH_DROP_PATH = ("efficientnet_lite0", "efficientnet_lite2")


class _NetworkSettings(Settings):
    """What all networks have."""

    weights: str | None = Field(
        None,
        description="Weights that a training starts from: `landslide`, the trained model in this "
        "package, or a run's folder. With `landslide`, `infer-tiled` maps with that model where "
        "the run has none of its own.",
    )


class FlexUNetSettings(_NetworkSettings):
    """FlexUNet, a U-Net of any depth whose kernels shrink towards the bottom."""

    architecture: Literal["flexunet"] = Field("flexunet", description="Which network.")
    base_filters: int = Field(16, ge=1, le=1024, description="Filters of the first level.")
    base_kernels: int = Field(
        11, ge=1, le=31, description="Kernel side of the first level; two less each level, 3 least."
    )
    num_layers: int = Field(8, ge=2, le=10, description="Levels, the bottom one included.")
    dropout_rate: float = Field(
        0.05, ge=0.0, lt=1.0, description="Dropout, times the level's index."
    )
    dropout_seed: int | None = Field(
        None, ge=0, description="Fixed seed of every dropout layer. Default: from `train.seed`."
    )
    dilation: tuple[Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1)]] = Field(
        (1, 1), description="Dilation of the first level; one less each level, 1 least."
    )
    normalization: bool = Field(
        False, description="Batch normalization after every 3 x 3 or larger convolution."
    )
    normalization_momentum: float = Field(
        0.99,
        ge=0.0,
        lt=1.0,
        description="Share of its running statistics that batch normalization keeps at a step; "
        "trainings of few steps need less.",
    )
    activation: Literal["relu", "elu", "gelu", "leaky_relu", "selu", "silu"] = Field(
        "relu", description="Activation of the hidden layers."
    )
    input_scaling: bool = Field(True, description="Divide the input by 255 inside the model.")

    @property
    def multiple(self) -> int:
        """Heights and widths that the network takes are multiples of this many pixels."""
        return int(2 ** (self.num_layers - 1))

    @property
    def described(self) -> str:
        """What sets the multiple, in words for a message."""
        return f"a model of {self.num_layers} layers"

    @model_validator(mode="after")
    def _no_other_network(self) -> Self:
        if self.weights == "landslide":
            raise wrong("model.weights", "'landslide' is a model of architecture: unet")
        return self

    @model_validator(mode="after")
    def _dropout_below_one(self) -> Self:
        if self.dropout_rate * (self.num_layers - 1) >= 1.0:
            raise wrong(
                "model.dropout_rate",
                f"times the deepest level's index, {self.num_layers - 1}, must stay below 1",
            )
        return self


class UNetSettings(_NetworkSettings):
    """U-Net: an encoder trained on ImageNet, and a decoder."""

    architecture: Literal["unet"] = Field(description="Which network.")
    encoder: EncoderName = Field(
        "efficientnet_lite0",
        description="The weights of `efficientnet_lite0` are in this package, those of "
        "`efficientnet_lite2` are made by `make encoder-weights`; Keras downloads those of the "
        "others.",
    )
    encoder_weights: str | None = Field(
        "imagenet",
        description="What the encoder has learned before: `imagenet`, a file of such weights, or "
        "null for nothing.",
    )
    decoder: list[Width] = Field(
        [128, 64, 48, 32],
        min_length=1,
        max_length=5,
        description="Filters of the decoder at strides 16, 8, 4, 2 and 1. Where some are left out, "
        "what the last one gives is enlarged to the image's size.",
    )
    decoder_dropout: float = Field(
        0.0,
        ge=0.0,
        lt=1.0,
        description="Share of the decoder's last features that dropout leaves out.",
    )
    drop_path: float = Field(
        0.0,
        ge=0.0,
        lt=1.0,
        description="Share of the images for which the encoder's last residual block is left out "
        "in training, earlier ones in proportion (stochastic depth); for `efficientnet_lite0` and "
        "`efficientnet_lite2`.",
    )
    normalization_momentum: float = Field(
        0.9,
        ge=0.0,
        lt=1.0,
        description="Share of its running statistics that batch normalization keeps at a step; "
        "with more, those of ImageNet outlast a training of a few hundred steps.",
    )

    @property
    def multiple(self) -> int:
        """Heights and widths that the network takes are multiples of this many pixels."""
        return 32

    @property
    def described(self) -> str:
        """What sets the multiple, in words for a message."""
        return "a U-Net"

    @model_validator(mode="after")
    def _drops_what_it_can(self) -> Self:
        if self.drop_path > 0.0 and self.encoder not in _WITH_DROP_PATH:
            raise wrong("model.drop_path", f"is not there for {self.encoder}; leave it out")
        return self


ARCHITECTURES: dict[str, type[FlexUNetSettings] | type[UNetSettings]] = {
    "flexunet": FlexUNetSettings,
    "unet": UNetSettings,
}


def network_settings(model: Any) -> type[FlexUNetSettings] | type[UNetSettings]:
    """Tell the settings class of a profile's `model`, as far as it is known."""
    return ARCHITECTURES.get(_architecture(model), FlexUNetSettings)


def _architecture(settings: Any) -> str:
    """Tell which settings are meant; FlexUNet's where none is named."""
    if isinstance(settings, dict):
        return str(settings.get("architecture", "flexunet"))
    return str(getattr(settings, "architecture", "flexunet"))


ModelSettings = Annotated[
    Annotated[FlexUNetSettings, Tag("flexunet")] | Annotated[UNetSettings, Tag("unet")],
    Discriminator(_architecture),
]
