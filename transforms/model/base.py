"""What every definition has: who it is, where it comes from, why, and examples that run as tests."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class Part(BaseModel):
    """A frozen piece of a definition; an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Definition(Part):
    """A rule as data. `examples` are cases with their expected outcome; tests run every one."""

    id: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    version: str = Field(pattern=r"^\d+(\.\d+)*$")
    title: str
    source: str
    why: str
    caveats: tuple[str, ...] = ()
    examples: tuple[dict[str, Any], ...] = ()
