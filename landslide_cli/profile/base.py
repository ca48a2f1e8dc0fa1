"""What all sections of a profile share: strictness, and the form of their errors."""

from pydantic import BaseModel, ConfigDict
from pydantic_core import PydanticCustomError


def wrong(key: str, message: str) -> PydanticCustomError:
    """Build the error of a check that spans several keys, located at the one to change."""
    return PydanticCustomError("profile", "{message}", {"message": message, "key": key})


class Settings(BaseModel):
    """Keys are checked strictly, unknown ones are refused, and a loaded profile never changes."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)
