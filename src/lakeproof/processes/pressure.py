"""Whether this machine's processors are full, by the kernel's own count (/proc/pressure/cpu, "PSI").

The kernel counts the share of time in which at least one process could run and had to wait for a processor. The mean
over about ten seconds is read here; the load average is a mean over a minute. The count is that of the whole machine,
whatever a container's own limit is.
"""

from pathlib import Path

CPU_PRESSURE = Path("/proc/pressure/cpu")
# The whole shop on two cores, in a drill under shoppers, stood at 73 to 93 for minutes, and each answer came within
# three seconds. An answer that came later was seen at 98. So this limit asks for patience too often rather than too
# seldom.
FULL_PERCENT = 75.0


def cpu_waiting_percent(file: Path = CPU_PRESSURE) -> float | None:
    """Percent of recent time in which some process waited for a processor: the kernel's `some avg10`.

    It is a mean in which a moment ten seconds ago counts a third of the present one. None where the kernel does not
    tell: it is older than 4.20, does not count (psi=0), or hides the file from a container.
    """
    try:
        text = file.read_text(encoding="ascii")
    except OSError:
        return None
    for line in text.splitlines():
        kind, _, rest = line.partition(" ")
        if kind == "some":
            numbers = dict(pair.split("=", 1) for pair in rest.split())
            return float(numbers["avg10"])
    return None


def processors_are_full() -> bool:
    """True where this machine's own load may be why an answer is late."""
    return full_percent() is not None


def full_percent() -> float | None:
    """`cpu_waiting_percent` where the processors are full, else None."""
    percent = cpu_waiting_percent()
    return percent if percent is not None and percent >= FULL_PERCENT else None


def told_when_full() -> list[str]:
    """The sentence that a diagnosis shows where the processors are full, as a list of one; else an empty list."""
    percent = full_percent()
    told = f"this machine's processors are full: lately processes waited for one {percent or 0:.0f} % of the time"
    return [told] if percent is not None else []
