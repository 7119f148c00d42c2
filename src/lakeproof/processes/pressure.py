"""Whether this machine's processors are full, by the kernel's own count (/proc/pressure/cpu, "PSI").

What the kernel counts is the share of time in which at least one process could run and had to wait for a processor.
Its mean over some ten seconds is read here; the load average is a mean over a minute. It is of the whole machine,
whatever a container's own limit is.
"""

from pathlib import Path

CPU_PRESSURE = Path("/proc/pressure/cpu")
# The whole shop on two cores, in a drill under shoppers, stood at 73 to 93 for minutes, and each answer came within
# three seconds; one that came later was seen at 98. So this asks for patience rather too often than too seldom.
FULL_PERCENT = 75.0


def cpu_waiting_percent(file: Path = CPU_PRESSURE) -> float | None:
    """Percent of the time lately in which some process waited for a processor: the kernel's `some avg10`, a mean in
    which what was ten seconds ago counts a third of what is now.

    None where the kernel does not tell: it is older than 4.20, counts none (psi=0), or hides it from a container.
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
    """True where a late answer may come of this machine's own load."""
    return full_percent() is not None


def full_percent() -> float | None:
    """`cpu_waiting_percent` where the processors are full, else None."""
    percent = cpu_waiting_percent()
    return percent if percent is not None and percent >= FULL_PERCENT else None


def told_when_full() -> list[str]:
    """The sentence for who reads a diagnosis on full processors; none where they are not."""
    percent = full_percent()
    told = f"this machine's processors are full: lately processes waited for one {percent or 0:.0f} % of the time"
    return [told] if percent is not None else []
