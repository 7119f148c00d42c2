"""The settings of the log store, and of the ITSM that keeps tickets. settings.py has all others."""

from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from lakeproof.strict_model import StrictModel


class LogsSettings(StrictModel):
    """How much the log store keeps: entries are dropped as soon as one of the two bounds is reached."""

    retention_days: int = Field(7, ge=1, le=3650, description="older entries are dropped, a whole day at a time")
    disk_bytes: int = Field(2 << 30, ge=64 << 20, description="above this size the oldest days are dropped")


class TicketSettings(StrictModel):
    """The ITSM that keeps a ticket for each incident. Its password or token is the secret `ticket-token`."""

    kind: Literal["", "webhook", "jira", "github"] = Field("", description='"": no tickets')
    url: str = Field(
        "",
        pattern=r"^(https?://[^\s/]+\S*)?$",
        description="webhook: where to post; jira: https://SITE.atlassian.net; github: default https://api.github.com",
    )
    # The length is not in the pattern: `\w{0,200}` took 0.17 s of a core to compile, in every process of a stack.
    project: str = Field(
        "", pattern=r"^[\w./-]*$", max_length=200, description="jira: the project's key; github: OWNER/REPOSITORY"
    )
    account: str = Field("", description="jira: the e-mail address that the token belongs to")
    issue_type: str = Field("Task", description="jira: the type of the issues that are made")
    token_file: Path | None = Field(None, description="a file that holds the token, instead of the secret")
    seconds: float = Field(10.0, ge=0.5, le=60, description="a call that takes longer is given up")

    @model_validator(mode="after")
    def _is_whole(self) -> "TicketSettings":
        needed = {"webhook": ("url",), "jira": ("url", "project", "account"), "github": ("project",)}
        if missing := [name for name in needed.get(self.kind, ()) if not getattr(self, name)]:
            raise ValueError(f"{self.kind} needs {', '.join(missing)} too")
        return self
