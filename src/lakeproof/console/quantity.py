"""A number as a person reads it: 1.2 GB, 350 ms, 4.0 /s. Units are Grafana's ids, as dashboards have them."""

import math

NO_DATA = "no data"
_STEPS = {
    "bytes": (1024.0, ("B", "KiB", "MiB", "GiB", "TiB")),
    "decbytes": (1000.0, ("B", "kB", "MB", "GB", "TB")),
    "Bps": (1000.0, ("B/s", "kB/s", "MB/s", "GB/s", "TB/s")),
    "binBps": (1024.0, ("B/s", "KiB/s", "MiB/s", "GiB/s", "TiB/s")),
}
_SECONDS_IN = {"s": 1.0, "ms": 1e-3, "µs": 1e-6, "ns": 1e-9, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_PER = {
    "reqps": "/s",
    "ops": "/s",
    "cps": "/s",
    "rps": "/s",
    "wps": "/s",
    "opm": "/min",
    "cpm": "/min",
    "rpm": "/min",
}
UNITS = frozenset({"", "none", "short", "percent", "percentunit", "bool", *_STEPS, *_SECONDS_IN, *_PER})


def show_quantity(value: float | None, unit: str = "", decimals: int | None = None) -> str:
    """The value with its unit; "no data" where there is none. An unknown unit is written after the number."""
    if value is None or math.isnan(value):
        return NO_DATA
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    if unit in _SECONDS_IN:
        return _duration(value * _SECONDS_IN[unit])
    if unit in _STEPS:
        return _stepped(value, *_STEPS[unit])
    if unit in ("percent", "percentunit"):
        return f"{_digits(value * (100 if unit == 'percentunit' else 1), decimals)} %"
    if unit == "bool":
        return "yes" if value else "no"
    if unit in _PER:
        return f"{_short(value, decimals)} {_PER[unit]}"
    return f"{_short(value, decimals)} {unit}".rstrip() if unit not in ("none", "short") else _short(value, decimals)


def _digits(value: float, decimals: int | None = None) -> str:
    if decimals is not None:
        return f"{value:.{decimals}f}"
    if value == int(value) or abs(value) >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if abs(value) >= 1 else f"{value:.2g}"


def _short(value: float, decimals: int | None = None) -> str:
    if abs(value) < 100_000:
        return _digits(value, decimals)
    return _stepped(value, 1000.0, ("", "K", "M", "G", "T")).replace(" ", "")


def _stepped(value: float, step: float, names: tuple[str, ...]) -> str:
    for name in names[:-1]:
        if abs(value) < step:
            return f"{_digits(value)} {name}"
        value /= step
    return f"{_digits(value)} {names[-1]}"


def _duration(seconds: float) -> str:
    size = abs(seconds)
    if size < 1 and seconds != 0:
        return f"{_digits(seconds * 1e3)} ms" if size >= 1e-3 else f"{_digits(seconds * 1e6)} µs"
    if size < 120:
        return f"{_digits(seconds)} s"
    if size < 7200:
        return f"{_digits(seconds / 60)} min"
    return f"{_digits(seconds / 3600)} h" if size < 172_800 else f"{_digits(seconds / 86_400)} d"


def scale_of(largest: float, unit: str) -> tuple[float, str]:
    """(factor, unit) with which values up to `largest` are short to read on one axis, e.g. (1 / 2**30, "GiB")."""
    if unit in _SECONDS_IN:
        seconds = largest * _SECONDS_IN[unit]
        for name in ("d", "h", "m", "s", "ms"):
            size = _SECONDS_IN[name]
            if seconds >= 2 * size or name == "ms":
                return _SECONDS_IN[unit] / size, "min" if name == "m" else name
    if unit in _STEPS or (unit in ("short", "", "none") and largest >= 100_000):
        step, names = _STEPS.get(unit, (1000.0, ("", "K", "M", "G", "T")))
        power = 0
        while largest >= step and power < len(names) - 1:
            largest, power = largest / step, power + 1
        return step**-power, names[power]
    if unit in ("percent", "percentunit"):
        return (100.0 if unit == "percentunit" else 1.0), "%"
    return 1.0, _PER.get(unit, "" if unit in ("short", "none") else unit)
