"""The training: `train`."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from landslide_cli.profile.augment import Enlargement, OnlineAugmentSettings
from landslide_cli.profile.base import Settings, wrong

Watched = Literal[
    "loss", "dice", "iou", "sensitivity", "specificity", "mean_dice", "mean_iou",
    "dice_coef_multiclass",
    "valid_loss", "valid_dice", "valid_iou", "valid_sensitivity", "valid_specificity",
    "valid_mean_dice", "valid_mean_iou", "valid_dice_coef_multiclass",
]  # fmt: skip

MetricName = Literal[
    "dice", "iou", "sensitivity", "specificity", "mean_dice", "mean_iou", "dice_coef_multiclass",
]  # fmt: skip

# Averages over all classes.
MEANS: tuple[MetricName, ...] = ("mean_dice", "mean_iou")

LossName = Literal[
    "categorical_crossentropy", "dice", "crossentropy_dice", "focal", "tversky", "jaccard",
    "lovasz", "ssim", "basnet",
]  # fmt: skip

# Keras's, but for those that need more than a rate: FTRL is for sparse linear models.
OptimizerName = Literal[
    "adam", "adamw", "sgd", "adadelta", "adafactor", "adagrad", "adamax", "lamb", "lion", "muon",
    "nadam", "rmsprop",
]  # fmt: skip


class TrainSettings(Settings):
    """`landslide train`: tiles or scenes to a model."""

    epochs: int = Field(100, ge=1, le=100_000, description="Passes over the training set.")
    batch: int = Field(
        2, ge=1, le=4096, description="Images per batch, over all processors and machines together."
    )
    accumulate: int = Field(
        1,
        ge=1,
        le=4096,
        description="Batches per step, whose gradients are averaged (1 = no accumulation).",
    )
    crop: int | None = Field(
        None,
        ge=16,
        le=8192,
        description="Side of random crops of whole scenes, in pixels of the prepared scenes "
        "(null = train on tiles). No tiles are needed then, see `prepare.tile`.",
    )
    crops: int | None = Field(
        None,
        ge=1,
        le=10_000_000,
        description="Crops per epoch (null = as many as cover the scenes once).",
    )
    mosaic: bool = Field(
        False,
        description="Take crops not of single scenes but of mosaics drawn for each of them: pieces "
        "of the training scenes of all sources side by side, turned by quarters and mirrored, at "
        "random offsets. A landslide then lies anywhere in a crop, is cut anywhere, or is absent, "
        "as in an orthophoto. Pieces are enlarged by `source.zoom` instead of `crop_scale`, and "
        "`foreground_share` does not apply.",
    )
    foreground_share: float = Field(
        0.5, ge=0.0, le=1.0, description="Share of the crops that are centred on foreground."
    )
    crop_scale: tuple[Enlargement, Enlargement] = Field(
        (1.0, 1.0),
        description="Smallest and largest enlargement of crops, uniform on a logarithmic scale; "
        "below 1 they show more ground. Crops are resampled straight from the "
        "scene, to avoid padding inside the scene.",
    )
    crop_rotation: float = Field(
        0.0,
        ge=0.0,
        le=180.0,
        description="Largest rotation of crops in degrees, either way, in the same resampling "
        "(0 = none).",
    )
    copy_paste: float = Field(
        0.0,
        ge=0.0,
        le=1.0,
        description="Share of the crops that get the foreground of another crop pasted in.",
    )
    paste_light: float = Field(
        0.0,
        ge=0.0,
        le=1.0,
        description="Share of the pasted foreground whose brightness is changed first (0.74 to "
        "1.35 times, then -30 to 60 gray levels), so that foreground is learned in "
        "other light than its surroundings; three crops in ten then get their own "
        "foreground pasted instead of another's.",
    )
    augment: OnlineAugmentSettings = Field(
        OnlineAugmentSettings(),
        description="Random changes of every image, drawn again in each epoch.",
    )
    optimizer: OptimizerName = Field("adam", description="Optimizer.")
    learning_rate: float = Field(7e-5, gt=0.0, le=10.0, description="Initial learning rate.")
    schedule: Literal["constant", "cosine", "plateau"] = Field(
        "plateau",
        description="Learning-rate schedule: `cosine` decays to `final_rate` in the last epoch, "
        "`plateau` reduces the rate when the watched value stops improving.",
    )
    warmup_epochs: float = Field(
        0.0,
        ge=0.0,
        le=1000.0,
        description="Epochs in which the learning rate rises linearly from 0.",
    )
    final_rate: float = Field(
        0.01,
        ge=0.0,
        le=1.0,
        description="Final learning rate of `cosine`, as a factor of the initial one.",
    )
    reduce_factor: float = Field(
        0.5, gt=0.0, le=1.0, description="Factor by which `plateau` reduces the learning rate."
    )
    reduce_patience: int | None = Field(
        4,
        ge=1,
        description="Epochs without improvement before `plateau` reduces the rate (null = never).",
    )
    weight_decay: float = Field(
        0.0, ge=0.0, le=1.0, description="Weight decay; `adam` and `sgd` have none."
    )
    clip_value: float | None = Field(
        0.5,
        gt=0.0,
        description="Largest absolute value of a gradient element (null = no clipping).",
    )
    clip_norm: float | None = Field(
        None, gt=0.0, description="Largest global norm of the gradient (null = no clipping)."
    )
    ema: float | None = Field(
        None,
        gt=0.0,
        lt=1.0,
        description="Momentum of an exponential moving average of the weights and the "
        "statistics of batch normalization, which is validated and kept (smaller in "
        "the first steps; null = no average).",
    )
    encoder_rate: float = Field(
        1.0,
        ge=0.0,
        le=1.0,
        description="Learning rate of the encoder, as a factor of the decoder's.",
    )
    frozen_epochs: int = Field(
        0, ge=0, le=100_000, description="Epochs with the encoder frozen, at the start."
    )
    loss: LossName = Field(
        "categorical_crossentropy",
        description="Loss function; `basnet` is the sum of cross entropy, `ssim` and `jaccard`.",
    )
    class_weights: list[Annotated[float, Field(ge=0.0)]] | None = Field(
        None, description="Weight of each class in the loss, background first (null = all 1)."
    )
    focal_gamma: float = Field(2.0, ge=0.0, description="Focusing exponent of `focal`.")
    tversky_alpha: float = Field(
        0.3, ge=0.0, le=1.0, description="Weight of false alarms in `tversky`."
    )
    tversky_beta: float = Field(0.7, ge=0.0, le=1.0, description="Weight of misses in `tversky`.")
    metrics: list[MetricName] = Field(
        ["dice", "iou", "dice_coef_multiclass"],
        description="Metrics logged in each epoch: Dice, IoU, sensitivity (recall) and specificity "
        "of the foreground, of several classes their mean; mean Dice and IoU over all classes, "
        "which are logged in any case if there are more than two; and the metric of the published "
        "experiment.",
    )
    watch: Watched = Field(
        "valid_loss",
        description="Logged value that selects the best epoch and drives `reduce_patience` and "
        "`stop_patience`; losses should fall, metrics rise.",
    )
    stop_patience: int | None = Field(
        10,
        ge=1,
        description="Epochs without improvement before training stops early (null = never).",
    )
    precision: Literal["float32", "bfloat16", "float16"] = Field(
        "float32",
        description="Precision of the layers; weights and the kept model are float32. `float16` "
        "scales the loss.",
    )
    int8: bool = Field(
        False,
        description="Make the model's int8 form when it is trained, for `infer.precision`; needs "
        "NNCF, which `pip install 'landslide-cli[int8]'` installs.",
    )
    jit: bool = Field(
        False,
        description="Compile the step with XLA; for a single processor or GPU, and not with "
        "`deterministic`.",
    )
    deterministic: bool = Field(
        True,
        description="Bit-identical weights whenever the same profile is trained on the same "
        "type of machine. May be slower on a GPU.",
    )
    cache: Literal["auto", "memory", "disk", "none"] = Field(
        "auto",
        description="Where decoded tiles or scenes are kept; `auto` takes memory if a quarter "
        "of it suffices, otherwise the disk for scenes and no cache for tiles.",
    )
    checkpoint_minutes: float = Field(
        10.0,
        gt=0.0,
        description="Minutes between checkpoints, besides the one after each epoch.",
    )
    preview_scenes: list[str] = Field(
        [], description="Names of scenes to predict after each epoch, for a film strip."
    )
    tensorboard: bool = Field(False, description="Write TensorBoard logs to `<run>/tensorboard`.")
    seed: int = Field(
        137,
        ge=0,
        description="Seed of the initial weights, the order of examples, crops, augmentation "
        "and dropout.",
    )

    @model_validator(mode="after")
    def _watched_is_logged(self) -> Self:
        metric = self.watch.removeprefix("valid_")
        if metric not in ("loss", "dice", *MEANS, *self.metrics):
            raise wrong("train.watch", f"is '{self.watch}', and train.metrics has no '{metric}'")
        return self

    def logged(self, classes: int) -> list[MetricName]:
        """Return the metrics that a training of so many classes logs, in their order."""
        watched = self.watch.removeprefix("valid_")
        means = [name for name in MEANS if classes > 2 or name == watched]
        return list(dict.fromkeys(["dice", *self.metrics, *means]))


def higher_is_better(watched: str) -> bool:
    """Whether a logged value, such as `train.watch` names, is better when it is larger."""
    return watched.removeprefix("valid_") != "loss"
