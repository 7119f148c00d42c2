"""What comes in from a caller or a file: what it may not hold is an error, not passed over."""

from pydantic import BaseModel, ConfigDict


class StrictModel(BaseModel):
    """A model that knows all its fields."""

    model_config = ConfigDict(extra="forbid")
