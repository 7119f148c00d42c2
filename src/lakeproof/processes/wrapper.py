"""The last step before a component's own program: become its user, tie its life to the daemon's, exec.

A bare interpreter runs this file (`python -I -S wrapper.py PARENT USER CWD PROGRAM ARG…`), so it imports only the
standard library and costs about 15 ms. The order matters. The kernel clears PR_SET_PDEATHSIG when a process changes
its user, so the signal is set after the change. The parent may have died before that, so the parent is checked last.
"""

import ctypes
import os
import pwd
import signal
import sys
import warnings  # noqa: F401  os.execvp imports it, too late for a user who may not read this interpreter's folder

PR_SET_PDEATHSIG = 1
EXIT_COULD_NOT_EXEC = 127


def become(user: str) -> None:
    """Change to the user with its own groups. Raises: KeyError for an unknown user, OSError when not allowed."""
    entry = pwd.getpwnam(user)
    os.initgroups(user, entry.pw_gid)
    os.setgid(entry.pw_gid)
    os.setuid(entry.pw_uid)


def die_with_parent(parent: int) -> None:
    """Have the kernel kill this process as soon as `parent` ends, also where `parent` has ended already."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)


def main(arguments: list[str]) -> int:
    """Never returns when it succeeds. An empty `user` or `cwd` means no change."""
    parent, user, cwd, program, *rest = arguments
    try:
        if cwd:
            os.chdir(cwd)  # before the change of user, since that user may not be allowed to enter the folder
        if user:
            become(user)
        die_with_parent(int(parent))
        os.execvp(program, [program, *rest])
    except KeyError:
        os.write(2, f"lakeproof: no such user: {user}\n".encode())
    except OSError as error:
        os.write(2, f"lakeproof: cannot start {program} in {cwd}: {error}\n".encode())
    return EXIT_COULD_NOT_EXEC


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
