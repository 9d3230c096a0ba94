"""Instants are integers: milliseconds since 1970-01-01T00:00:00Z. Durations are integers too, in milliseconds."""
import datetime
import re
from dataclasses import dataclass

_UNITS = {"w": 604_800_000, "d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1_000, "ms": 1}
_PART = re.compile(r"([0-9]+)(ms|[smhdw])")
# Weeks are read but not written: `7d` is more familiar.
_WRITTEN = [(unit, size) for unit, size in _UNITS.items() if unit != "w"]
_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)


class Duration(int):
    """Milliseconds, made of a number or of a text such as `1h30m`, and shown as such a text.

    Sums and products are plain integers: `Duration(a + b)` makes a duration of them again.
    """

    SCHEMA = {"type": "string", "pattern": "^([0-9]+(ms|[smhdw]))+$", "examples": ["5m"]}

    def __new__(cls, value):
        if isinstance(value, str):
            parts = list(_PART.finditer(value))
            if not value or "".join(part[0] for part in parts) != value:
                raise ValueError(f"`{value}` is not a duration: write, for example, `90s`, `5m` or `1h30m`")
            value = sum(int(part[1]) * _UNITS[part[2]] for part in parts)
        if value < 0:
            raise ValueError("a duration is not negative")
        return super().__new__(cls, value)

    def __str__(self):
        rest, text = int(self), ""
        for unit, size in _WRITTEN:
            if rest >= size:
                text += f"{rest // size}{unit}"
                rest %= size
        return text or "0s"

    def __repr__(self):
        return f"Duration('{self}')"


@dataclass(frozen=True)
class Range:
    """A half-open range: `start` is included, `end` is not."""

    start: int
    end: int

    def __contains__(self, at):
        return self.start <= at < self.end


def shown(at: int) -> str:
    """An instant as people read it: `2024-01-01T00:00:00.000Z`."""
    text = (_EPOCH + datetime.timedelta(milliseconds=at)).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")
