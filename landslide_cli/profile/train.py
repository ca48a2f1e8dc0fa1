"""The training: `train`."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from landslide_cli.profile.augment import Enlargement, OnlineAugmentSettings
from landslide_cli.profile.base import Settings, wrong

Watched = Literal[
    "loss", "dice", "iou", "dice_coef_multiclass",
    "valid_loss", "valid_dice", "valid_iou", "valid_dice_coef_multiclass",
]  # fmt: skip


class TrainSettings(Settings):
    """`landslide train`: tiles or scenes to a model."""

    epochs: int = Field(100, ge=1, le=100_000, description="Passes over the training tiles.")
    batch: int = Field(
        2, ge=1, le=4096, description="Images a batch, over all processors and machines together."
    )
    accumulate: int = Field(
        1, ge=1, le=4096, description="Batches whose gradients are averaged into one step."
    )
    crop: int | None = Field(
        None,
        ge=16,
        le=8192,
        description="Train on random crops of whole scenes instead of tiles: their side, in "
        "pixels of the prepared scenes. No tiles are needed then, see `prepare.tile`.",
    )
    crops: int | None = Field(
        None,
        ge=1,
        le=10_000_000,
        description="Crops an epoch. Default: as many as cover the scenes once.",
    )
    foreground_share: float = Field(
        0.5, ge=0.0, le=1.0, description="Share of the crops that are centred on foreground."
    )
    crop_scale: tuple[Enlargement, Enlargement] = Field(
        (1.0, 1.0),
        description="Least and most that crops are enlarged, evenly on a logarithmic scale; below "
        "1 they show more ground. They are taken from the scene at once, so that no edge is made "
        "up where the scene goes on.",
    )
    crop_rotation: float = Field(
        0.0,
        ge=0.0,
        le=180.0,
        description="Crops are turned by up to so many degrees either way, in the same step.",
    )
    copy_paste: float = Field(
        0.0,
        ge=0.0,
        le=1.0,
        description="Share of the crops on which the foreground of another crop is pasted.",
    )
    paste_light: float = Field(
        0.0,
        ge=0.0,
        le=1.0,
        description="Share of what is pasted that is made brighter or darker first (0.74 to 1.35 "
        "times, then -30 to 60 gray levels more), so that foreground is learned in other light "
        "than what is around it; three crops in ten then get their own foreground pasted instead "
        "of another one's.",
    )
    augment: OnlineAugmentSettings = Field(
        OnlineAugmentSettings(), description="Random changes of every image, anew in each epoch."
    )
    optimizer: Literal["adam", "adamw", "sgd"] = Field("adam", description="Optimizer.")
    learning_rate: float = Field(7e-5, gt=0.0, le=10.0, description="Learning rate at the start.")
    schedule: Literal["constant", "cosine", "plateau"] = Field(
        "plateau",
        description="How the learning rate goes on: `cosine` falls to `final_rate` in the last "
        "epoch, `plateau` is reduced when the watched value gets no better.",
    )
    warmup_epochs: float = Field(
        0.0, ge=0.0, le=1000.0, description="Epochs in which the learning rate rises from 0."
    )
    final_rate: float = Field(
        0.01, ge=0.0, le=1.0, description="What `cosine` leaves of the learning rate, as a factor."
    )
    reduce_factor: float = Field(
        0.5, gt=0.0, le=1.0, description="Learning rate's factor when `plateau` reduces it."
    )
    reduce_patience: int | None = Field(
        4, ge=1, description="Epochs without a better watched value before that. null: never."
    )
    weight_decay: float = Field(0.0, ge=0.0, le=1.0, description="Weight decay of `adamw`.")
    clip_value: float | None = Field(
        0.5, gt=0.0, description="Clip every gradient element to this size. null: no clipping."
    )
    clip_norm: float | None = Field(
        None, gt=0.0, description="Scale the gradient to at most this global norm."
    )
    ema: float | None = Field(
        None,
        gt=0.0,
        lt=1.0,
        description="Validate and keep an exponential moving average of the weights and of the "
        "statistics of batch normalization, with this momentum (less in the first steps).",
    )
    encoder_rate: float = Field(
        1.0,
        ge=0.0,
        le=1.0,
        description="The encoder's learning rate, as a factor of the others'.",
    )
    frozen_epochs: int = Field(
        0, ge=0, le=100_000, description="First epochs in which the encoder does not learn."
    )
    loss: Literal["categorical_crossentropy", "dice", "crossentropy_dice", "focal", "tversky"] = (
        Field("categorical_crossentropy", description="Loss.")
    )
    class_weights: list[Annotated[float, Field(ge=0.0)]] | None = Field(
        None, description="Weight of each class in the loss, background first. Default: all 1."
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
    watch: Watched = Field(
        "valid_loss",
        description="Logged value by which the best epoch is kept and patience counts; losses "
        "should fall, metrics rise.",
    )
    stop_patience: int | None = Field(
        10, ge=1, description="Epochs without a better watched value before the end. null: never."
    )
    precision: Literal["float32", "bfloat16", "float16"] = Field(
        "float32",
        description="What the layers compute in; weights and the kept model are float32. "
        "`float16` scales the loss.",
    )
    jit: bool = Field(
        False,
        description="Compile the step by XLA; for one processor or GPU, and not `deterministic`.",
    )
    deterministic: bool = Field(
        True,
        description="Bit-identical weights whenever the same profile is trained on the same type "
        "of machine. May be slower on a GPU.",
    )
    cache: Literal["auto", "memory", "disk", "none"] = Field(
        "auto",
        description="Where decoded tiles or scenes are kept; `auto` takes memory if a quarter of "
        "it suffices, else the disk for scenes and none for tiles.",
    )
    checkpoint_minutes: float = Field(
        10.0,
        gt=0.0,
        description="A checkpoint is written after each epoch, and when so many minutes have "
        "passed since the last.",
    )
    preview_scenes: list[str] = Field(
        [], description="Names of scenes to predict after each epoch, for a film strip."
    )
    tensorboard: bool = Field(False, description="Log for TensorBoard, in `<run>/tensorboard`.")
    seed: int = Field(137, ge=0, description="Seed of the weights, the order and the dropout.")

    @model_validator(mode="after")
    def _watched_is_logged(self) -> Self:
        metric = self.watch.removeprefix("valid_")
        if metric not in ("loss", "dice", *self.metrics):
            raise wrong("train.watch", f"is '{self.watch}', and train.metrics has no '{metric}'")
        return self


def higher_is_better(watched: str) -> bool:
    """Whether a logged value, such as `train.watch` names, is better when it is larger."""
    return watched.removeprefix("valid_") != "loss"
