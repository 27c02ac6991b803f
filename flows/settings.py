"""How nadir runs here: paths, memory, schedule. Read from `nadir.toml`, then environment, then flags.

No setting can change a number; a key that is not known is an error. Environment names begin with `NADIR_`.
"""

from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from flows.errors import WrongUse
from transforms.model.disclosure import Channel


class Settings(BaseSettings):
    """Operation only."""

    model_config = SettingsConfigDict(env_prefix="NADIR_", toml_file="nadir.toml", extra="forbid", frozen=True)

    workspace: Path = Field(Path("workspace"), description="folder of the warehouse and the site")
    definitions: Path | None = Field(None, description="folder laid over the shipped definitions")
    memory_limit: str = Field("3GB", pattern=r"^\d+(\.\d+)?(MB|GB)$", description="memory of one DuckDB connection")
    channel: Channel = Field("internal", description="which disclosure rules a release obeys")
    identifiers: Literal["warn", "refuse"] = Field("warn", description="identifiers in standard formats")

    runner: Literal["here", "dask"] = Field("here", description="where derive and estimate work on people")
    dask_address: str = Field("", description="scheduler of the runner dask, such as tcp://host:8786")
    parts: int = Field(0, ge=0, description="how many parts people are divided into; 0: as many as rows ask for")
    parts_folder: str = Field(
        "", description="folder or URL that every Dask worker reaches, for the parts; the workspace if empty"
    )

    keep_reports: int = Field(0, ge=0, description="how many of the newest reports stay in the site; 0 of both: all")
    keep_reports_days: int = Field(0, ge=0, description="days for which every report stays, however many there are")

    steady_seconds: float = Field(2.0, ge=0, description="how long a file must not have changed to be read")
    wait_seconds: float = Field(60.0, ge=0, description="how long a file that still changes is waited for")
    done_marker: str = Field("", description="file that says that a folder is whole; none is waited for if empty")

    log_file: Path | None = Field(None, description="file to which each event of a run is appended as a line of JSON")
    metrics_file: Path | None = Field(None, description="text file for Prometheus, written anew at the end of each run")
    backup_folder: Path | None = Field(None, description="folder into which each published night is backed up")
    keep_backups: int = Field(7, ge=0, description="how many of the newest backups stay there; 0 keeps all")
    keep_attempts_days: int = Field(
        0, ge=0, description="days after which attempts that published nothing are forgotten; 0 keeps all"
    )
    keep_estimates: int = Field(
        0, ge=0, description="of how many newest published runs unreleased estimates stay in the warehouse; 0 keeps all"
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Flags first, then environment, then the file."""
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)


def read_settings(**flags: object) -> Settings:
    """Settings with the flags that were given (a flag of None was not)."""
    try:
        return Settings(**{name: value for name, value in flags.items() if value is not None})  # type: ignore[arg-type]
    except ValidationError as error:
        details = [f"{'.'.join(str(p) for p in e['loc'])}: {e['msg']}" for e in error.errors(include_input=False)]
        valid = ", ".join(sorted(Settings.model_fields))
        raise WrongUse("A setting is not valid.", details=details, repair=f"Settings are: {valid}.") from error
