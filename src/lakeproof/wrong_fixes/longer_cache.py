"""A wrong fix: let support keep timelines for longer. One that lacks a source is never kept, so the source is asked,
and waited for, as before.
"""

from pydantic import Field

from lakeproof.arguments import Arguments
from lakeproof.probes.support import SERVICE
from lakeproof.processes.environment import TIMELINE_CACHE_TTL
from lakeproof.wrong_fixes.handed_setting import handed_setting


class LongerCache(Arguments):
    """`seconds`: the new timeline_cache_ttl_seconds of the support service."""

    seconds: int = Field(600, ge=1, le=86_400)


WRONG_STEP = handed_setting(
    "longer_cache",
    "let support keep timelines for longer (mends nothing)",
    SERVICE,
    TIMELINE_CACHE_TTL,
    LongerCache,
    "{service} keeps a timeline for {value} s",
)
