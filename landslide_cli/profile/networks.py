"""The settings of each network: the keys of `model` for each `model.architecture`."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from landslide_cli.profile.base import Settings, wrong

Width = Annotated[int, Field(ge=1, le=2048)]
DropoutShare = Annotated[float, Field(ge=0.0, lt=1.0)]
BlockCount = Annotated[int, Field(ge=1, le=64)]
HeadCount = Annotated[int, Field(ge=1, le=64)]

EncoderName = Literal[
    "efficientnet_lite0", "efficientnet_lite2", "efficientnetv2_b0", "efficientnetv2_b1",
    "efficientnetv2_b2", "efficientnetv2_b3", "convnext_tiny", "mobilenetv3_large", "resnet50v2",
]  # fmt: skip

# Keras's functions of single values, so that any of them can follow a convolution.
ActivationName = Literal[
    "relu", "celu", "elu", "exponential", "gelu", "hard_shrink", "hard_sigmoid", "hard_silu",
    "hard_tanh", "leaky_relu", "linear", "log_sigmoid", "mish", "relu6", "selu", "sigmoid", "silu",
    "soft_shrink", "softplus", "softsign", "sparse_plus", "sparse_sigmoid", "squareplus", "tanh",
    "tanh_shrink",
]  # fmt: skip

# The path of a function to import: modules with dots between them, a colon, a name.
FUNCTION_PATH = r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*$"

_WITH_DROP_PATH = ("efficientnet_lite0", "efficientnet_lite2")


class _NetworkSettings(Settings):
    """What all networks have."""

    weights: str | None = Field(
        None,
        description="Weights that a training starts from: `landslide`, the trained model in this "
        "package, or a run's folder. With `landslide`, `infer-tiled` maps with that model where "
        "the run has none of its own.",
    )

    @model_validator(mode="after")
    def _packaged_is_of_this_network(self) -> Self:
        if self.weights == "landslide" and getattr(self, "architecture", "") != "unet":
            raise wrong("model.weights", "'landslide' is a model of architecture: unet")
        return self


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
    activation: ActivationName = Field("relu", description="Activation of the hidden layers.")
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
    def _dropout_below_one(self) -> Self:
        if self.dropout_rate * (self.num_layers - 1) >= 1.0:
            raise wrong(
                "model.dropout_rate",
                f"times the deepest level's index, {self.num_layers - 1}, must stay below 1",
            )
        return self


class EncoderSettings(_NetworkSettings):
    """What networks with an encoder trained on ImageNet have."""

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

    @model_validator(mode="after")
    def _drops_what_it_can(self) -> Self:
        if self.drop_path > 0.0 and self.encoder not in _WITH_DROP_PATH:
            raise wrong("model.drop_path", f"is not there for {self.encoder}; leave it out")
        return self


class UNetSettings(EncoderSettings):
    """U-Net: an encoder trained on ImageNet, and a decoder."""

    architecture: Literal["unet"] = Field(description="Which network.")
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

    @property
    def described(self) -> str:
        """What sets the multiple, in words for a message."""
        return "a U-Net"


class DeepLabV3PlusSettings(EncoderSettings):
    """DeepLabV3+: an encoder trained on ImageNet, and convolutions of several dilations."""

    architecture: Literal["deeplabv3plus"] = Field(description="Which network.")
    filters: Width = Field(
        256, description="Filters of the dilated convolutions and of the decoder."
    )
    low_level_filters: Width = Field(
        48, description="Filters to which the encoder's features of stride 4 are reduced."
    )
    dilations: list[Annotated[int, Field(ge=1, le=64)]] = Field(
        [3, 6, 9],
        min_length=1,
        max_length=8,
        description="Dilations of the parallel 3 x 3 convolutions, at stride 32. The paper's 6, 12 "
        "and 18 at stride 16 reach as far.",
    )
    image_pooling: bool = Field(
        True,
        description="Add the mean of the features over the whole window. What is mapped then "
        "depends a little on the window.",
    )
    dropout: DropoutShare = Field(
        0.1, description="Share of the pyramid's features that dropout leaves out."
    )

    @property
    def described(self) -> str:
        """What sets the multiple, in words for a message."""
        return "DeepLabV3+"


class _ScratchSettings(_NetworkSettings):
    """What convolutional networks have that nothing was learned before for."""

    activation: ActivationName = Field("relu", description="Activation of the hidden layers.")
    dropout: DropoutShare = Field(
        0.0, description="Share of the last features that dropout leaves out."
    )
    normalization_momentum: float = Field(
        0.9,
        ge=0.0,
        lt=1.0,
        description="Share of its running statistics that batch normalization keeps at a step.",
    )

    @property
    def multiple(self) -> int:
        """Heights and widths that the network takes are multiples of this many pixels."""
        return 16

    @property
    def described(self) -> str:
        """What sets the multiple, in words for a message."""
        return f"architecture: {getattr(self, 'architecture', '')}"


class AttentionUNetSettings(_ScratchSettings):
    """Attention U-Net: a U-Net whose skip connections are weighted by what the decoder sees."""

    architecture: Literal["attention_unet"] = Field(description="Which network.")
    base_filters: Width = Field(64, description="Filters of the first of five levels.")


class UNet3PlusSettings(_ScratchSettings):
    """UNet 3+: every level of the decoder sees the features of all scales."""

    architecture: Literal["unet3plus"] = Field(description="Which network.")
    base_filters: Width = Field(
        64,
        description="Filters of the first of five levels, and of each scale in a level of the "
        "decoder.",
    )


class U2NetSettings(_ScratchSettings):
    """U2-Net: a U-Net each of whose levels is a small U-Net."""

    architecture: Literal["u2net"] = Field(description="Which network.")
    base_filters: Annotated[int, Field(ge=4, le=512, multiple_of=4)] = Field(
        64, description="Filters that the first level gives."
    )
    small: bool = Field(
        False,
        description="All levels with `base_filters`, and a quarter of them inside: the paper's "
        "small version, of 1.1 instead of 44 million parameters.",
    )

    @property
    def multiple(self) -> int:
        """Heights and widths that the network takes are multiples of this many pixels."""
        return 32


class MultiResUNetSettings(_ScratchSettings):
    """MultiResUNet: a U-Net with kernels of several sizes and convolutions in its skips."""

    architecture: Literal["multiresunet"] = Field(description="Which network.")
    base_filters: Width = Field(
        32, description="Filters of the U-Net whose first of five levels is replaced."
    )
    alpha: float = Field(
        1.67, gt=0.0, le=8.0, description="Factor on the filters of that U-Net's levels."
    )


class SharpUNetSettings(_ScratchSettings):
    """Sharp U-Net: a U-Net whose skip connections are sharpened by a fixed filter."""

    architecture: Literal["sharp_unet"] = Field(description="Which network.")
    base_filters: Width = Field(32, description="Filters of the first of five levels.")
    normalization: bool = Field(
        False, description="Batch normalization after every convolution; the paper has none."
    )


class SegFormerSettings(_NetworkSettings):
    """SegFormer: a transformer of four stages, and a decoder of single pixels."""

    architecture: Literal["segformer"] = Field(description="Which network.")
    filters: tuple[Width, Width, Width, Width] = Field(
        (32, 64, 160, 256), description="Channels of the stages; those of MiT-B0."
    )
    depths: tuple[BlockCount, BlockCount, BlockCount, BlockCount] = Field(
        (2, 2, 2, 2), description="Transformer blocks of the stages."
    )
    heads: tuple[HeadCount, HeadCount, HeadCount, HeadCount] = Field(
        (1, 2, 5, 8), description="Attention heads of the stages, among which channels are divided."
    )
    decoder: Width = Field(256, description="Channels of the decoder.")
    dropout: DropoutShare = Field(
        0.1, description="Share of the decoder's features that dropout leaves out."
    )
    drop_path: DropoutShare = Field(
        0.1,
        description="Share of the images for which the last block is left out in training, "
        "earlier ones in proportion (stochastic depth).",
    )
    normalization_momentum: float = Field(
        0.9,
        ge=0.0,
        lt=1.0,
        description="Share of its running statistics that batch normalization keeps at a step.",
    )

    @property
    def multiple(self) -> int:
        """Heights and widths that the network takes are multiples of this many pixels."""
        return 32

    @property
    def described(self) -> str:
        """What sets the multiple, in words for a message."""
        return "SegFormer"

    @model_validator(mode="after")
    def _heads_divide_channels(self) -> Self:
        for filters, heads in zip(self.filters, self.heads, strict=True):
            if filters % heads:
                raise wrong("model.heads", f"must divide model.filters: {heads} and {filters}")
        return self


class ExternalSettings(_NetworkSettings):
    """An architecture from outside this package, by the path of a function to import."""

    architecture: Annotated[str, Field(pattern=FUNCTION_PATH, max_length=200)] = Field(
        description="Module and function, as in `my_package.module:function`; see training.md. "
        "It is imported and called to build the model: name only what you trust."
    )
    side_multiple: int = Field(
        32,
        ge=1,
        le=1024,
        description="Heights and widths that the network takes are multiples of this.",
    )
    options: dict[str, bool | int | float | str | list[bool | int | float | str] | None] = Field(
        {}, description="Settings of the architecture's own, for its function to read."
    )

    @property
    def multiple(self) -> int:
        """Heights and widths that the network takes are multiples of this many pixels."""
        return self.side_multiple

    @property
    def described(self) -> str:
        """What sets the multiple, in words for a message."""
        return "model.side_multiple"
