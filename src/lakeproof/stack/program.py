"""The servers' programs that the system's package manager brings."""

import shutil

from lakeproof.errors import MissingArtifact

_SBIN = "/usr/local/sbin:/usr/sbin:/sbin"  # not on the PATH of every user


def find_program(*names: str, package: str) -> str:
    """The path of the first of these names that is installed, on PATH or in the system's folders.

    A distribution may have given a program another name than its project has.
    Raises: MissingArtifact naming `package`.
    """
    for path in (None, _SBIN):
        for name in names:
            if found := shutil.which(name, path=path):
                return found
    raise MissingArtifact(package)
