"""Models of what comes in from a caller or a file: a field that the model does not know is an error."""

from pydantic import BaseModel, ConfigDict


class StrictModel(BaseModel):
    """A model that refuses fields that it does not know."""

    model_config = ConfigDict(extra="forbid")
