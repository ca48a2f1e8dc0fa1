"""The network and its training: `model` and `train`."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from landslide_cli.profile.base import Settings, wrong


class ModelSettings(Settings):
    """The network: FlexUNet, a U-Net of any depth whose kernels shrink towards the bottom."""

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

    @model_validator(mode="after")
    def _dropout_below_one(self) -> Self:
        if self.dropout_rate * (self.num_layers - 1) >= 1.0:
            raise wrong(
                "model.dropout_rate",
                f"times the deepest level's index, {self.num_layers - 1}, must stay below 1",
            )
        return self


class TrainSettings(Settings):
    """`landslide train`: tiles to a model."""

    epochs: int = Field(100, ge=1, le=100_000, description="Passes over the training tiles.")
    batch: int = Field(2, ge=1, le=4096, description="Tiles a step.")
    optimizer: Literal["adam", "adamw", "sgd"] = Field("adam", description="Optimizer.")
    learning_rate: float = Field(7e-5, gt=0.0, le=10.0, description="Learning rate at the start.")
    weight_decay: float = Field(0.0, ge=0.0, le=1.0, description="Weight decay of `adamw`.")
    clip_value: float | None = Field(
        0.5, gt=0.0, description="Clip every gradient element to this size. null: no clipping."
    )
    loss: Literal["categorical_crossentropy", "dice", "crossentropy_dice", "focal", "tversky"] = (
        Field("categorical_crossentropy", description="Loss.")
    )
    focal_gamma: float = Field(2.0, ge=0.0, description="Focusing exponent of `focal`.")
    tversky_alpha: float = Field(
        0.3, ge=0.0, le=1.0, description="Weight of false alarms in `tversky`."
    )
    tversky_beta: float = Field(0.7, ge=0.0, le=1.0, description="Weight of misses in `tversky`.")
    metrics: list[Literal["dice", "iou", "dice_coef_multiclass"]] = Field(
        ["dice", "iou", "dice_coef_multiclass"],
        description="Logged each epoch: Dice and IoU of the foreground, the experiment's metric.",
    )
    reduce_factor: float = Field(
        0.5, gt=0.0, le=1.0, description="Learning rate's factor when it is reduced."
    )
    reduce_patience: int | None = Field(
        4, ge=1, description="Epochs without a better validation loss before that. null: never."
    )
    stop_patience: int | None = Field(
        10, ge=1, description="Epochs without a better validation loss before the end. null: never."
    )
    cache: Literal["auto", "memory", "none"] = Field(
        "auto", description="Keep decoded tiles in memory; `auto` does if a quarter of it suffices."
    )
    preview_scenes: list[str] = Field(
        [], description="Names of scenes to predict after each epoch, for a film strip."
    )
    seed: int = Field(137, ge=0, description="Seed of the weights, the order and the dropout.")
