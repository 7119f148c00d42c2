"""What a user may set: `lakeproof.toml` in the working folder, and `LAKEPROOF_*` in the environment.

The environment wins over the file. Nested values use two underscores: `LAKEPROOF_LAKE__CHECKPOINT_SECONDS=3`.
"""

import os
import re
import tomllib
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

from lakeproof.errors import InvalidInput

CONFIG_FILE = "lakeproof.toml"


class LakeSettings(BaseModel):
    """How the lake is written and published. Times in seconds."""

    model_config = ConfigDict(extra="forbid")

    checkpoint_seconds: float = Field(2.0, ge=0.5, le=600)
    publish_seconds: float = Field(0.3, ge=0.05, le=600, description="pause between two looks of the publisher")
    readable_seconds: int = Field(900, ge=60, description="a published hash stays readable for so long")
    audit_seconds: float = Field(60.0, ge=5, description="pause between two full audits by Trino")
    align_transactions: bool = Field(True, description="off: parts of transactions may be seen (for proofs)")
    cut: bool = Field(True, description="off: publish each table's newest snapshot (for proofs)")


class CaptureSettings(BaseModel):
    """Change capture."""

    model_config = ConfigDict(extra="forbid")

    exactly_once: bool = Field(True, description="off: rows may come twice after a crash (for proofs)")


class ShopSettings(BaseModel):
    """Services of the shop."""

    model_config = ConfigDict(extra="forbid")

    pool_size: int = Field(10, ge=1, le=500, description="database connections of a service")
    request_seconds: float = Field(5.0, gt=0, description="a request is given up after so long")
    max_body_bytes: int = Field(65536, ge=1024)
    ledger_covers: Literal["auto", "all", "own"] = Field(
        "auto",
        description="all: every order came from our shoppers, another one is phantom; own: another one is somebody "
        "else's, counted and not judged; auto: all in mode local, own in mode external",
    )


class Settings(BaseSettings):
    """One stack's settings.

    `endpoints` points components at somebody else's servers:
    `[endpoints.connect]` / `http = "10.0.0.5:8083"`. In mode "external" nothing is started here.
    `secrets` gives passwords by name for external endpoints; local ones are generated (stack/secrets.py).
    """

    model_config = SettingsConfigDict(env_prefix="LAKEPROOF_", env_nested_delimiter="__", extra="forbid")

    name: str = Field("default", pattern=r"^[a-z][a-z0-9-]{0,30}$")
    mode: Literal["local", "external"] = "local"
    state_dir: Path | None = Field(None, description="default: per-user state folder / name")
    host: str = Field(
        "127.0.0.1",
        pattern=r"^127(\.\d{1,3}){3}$",
        description="the loopback address that servers listen on; few have a login of their own",
    )
    port_shift: int = Field(0, ge=0, le=50000, description="added to every port")
    timing: Literal["drill", "production"] = "drill"
    endpoints: dict[str, dict[str, str]] = {}
    secrets: dict[str, str] = {}
    scenario_dirs: list[Path] = Field([], description="further folders of scenarios")
    desk_url: str = Field(
        "", description="SQLAlchemy URL of the desk's database; default: SQLite in its state folder"
    )
    lake: LakeSettings = LakeSettings()
    capture: CaptureSettings = CaptureSettings()
    shop: ShopSettings = ShopSettings()

    @property
    def ledger_is_whole(self) -> bool:
        """True where an order that our ledger never saw must not be there."""
        covers = self.shop.ledger_covers
        return covers == "all" or (covers == "auto" and self.mode == "local")

    @field_validator("endpoints")
    @classmethod
    def _addresses(cls, given: dict[str, dict[str, str]]) -> dict[str, dict[str, str]]:
        for component, kinds in given.items():
            for kind, address in kinds.items():
                # Some entries are no address: a folder that an external server sees, for one.
                if kind in ("http", "tcp", "jmx") and not re.fullmatch(r"(https?://)?[^/\s:]+:\d{1,5}/?", address):
                    raise ValueError(f"{component}.{kind} is {address!r}; wanted host:port")
        return given

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Order of sources: arguments, environment, the file."""
        path = os.environ.get("LAKEPROOF_CONFIG", CONFIG_FILE)
        return (init_settings, env_settings, TomlConfigSettingsSource(settings_cls, path))


# Read by other parts of Lakeproof, so they are not settings of the stack.
NOT_SETTINGS = frozenset(
    {
        "LAKEPROOF_KEEP_TEST_STATE",
        "LAKEPROOF_CONFIG",
        "LAKEPROOF_CACHE",
        "LAKEPROOF_YES",
        "LAKEPROOF_RUN_ID",
        "LAKEPROOF_USER",
    }
)


def load_settings() -> Settings:
    """Read and check the settings.

    Raises: InvalidInput naming the file, the key and what is wrong with it.
    """
    path = Path(os.environ.get("LAKEPROOF_CONFIG", CONFIG_FILE))
    if "LAKEPROOF_CONFIG" in os.environ and not path.is_file():
        raise InvalidInput("no such file", where=str(path), next_action="mend LAKEPROOF_CONFIG or unset it")
    known = {name.upper() for name in Settings.model_fields}
    for variable in os.environ:
        if variable.startswith("LAKEPROOF_") and variable not in NOT_SETTINGS:
            head = variable.removeprefix("LAKEPROOF_").split("__")[0]
            if head not in known:
                raise InvalidInput(
                    "no setting of that name",
                    where=variable,
                    next_action=f"one of {', '.join(sorted(known))}",
                )
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise InvalidInput(
            f"{key}: {first['msg']}", where=f"{path} or LAKEPROOF_*", next_action=f"correct {key}"
        ) from error
    except SettingsError as error:
        raise InvalidInput(
            f"not valid JSON for a setting of many values: {error}",
            where="LAKEPROOF_*",
            next_action="""lists and tables are JSON, e.g. LAKEPROOF_SCENARIO_DIRS='["folder"]'""",
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidInput(f"not valid TOML: {error}", where=str(path), next_action="correct that line") from error
