"""What every piece of the simulation's parameters is: frozen, and closed to unknown keys."""

from pydantic import BaseModel, ConfigDict

Range = tuple[float, float]


class Part(BaseModel):
    """A frozen piece of the parameters."""

    model_config = ConfigDict(extra="forbid", frozen=True)
