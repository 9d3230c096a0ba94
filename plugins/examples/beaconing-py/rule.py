"""`beaconing`: connections at nearly constant intervals, as malware that asks its server for orders makes them."""
import math
from collections import deque
from dataclasses import dataclass, field

from watchbell import Context, Duration, Fault, Plan, Range, Row, Rule, Selection, Signals, param


@dataclass
class Beat:
    """The newest connections of one pair of source and destination."""

    times: deque[int] = field(default_factory=deque)
    # Until when the level holds that was told last; 0: none.
    until: int = 0


class Beaconing(Rule):
    """Fires while the last `intervals` between connections of a key are nearly equal.

    How much they differ is their coefficient of variation: the standard deviation, divided by the mean.
    """

    name = "beaconing"
    version = "0.1.0"
    summary = "Fires on connections at nearly constant intervals"
    details = ["every", "variation", "connections"]

    intervals: int = param("How many intervals are compared.", default=10, minimum=3, maximum=1_000)
    at_most: float = param("The largest coefficient of variation.", default=0.1, minimum=0, maximum=1)
    longest: Duration = param("Longer intervals start anew.", default=Duration("1h"))
    shortest: Duration = param("Shorter mean intervals are ordinary traffic.", default=Duration("1s"))

    State = dict[str, Beat]

    def plan(self, context: Context) -> Plan:
        if not context.key:
            raise Fault("", "needs the fields of source and destination as `key`")
        if self.shortest >= self.longest:
            raise Fault("/shortest", f"must be shorter than `longest`, which is {self.longest}")
        return Plan(history=self.longest * self.intervals)

    def row(self, row: Row, state: State, signals: Signals):
        beat = state.setdefault(row.key, Beat())
        if beat.times and row.time - beat.times[-1] > self.longest:
            beat.times.clear()
        beat.times.append(row.time)
        if len(beat.times) > self.intervals + 1:
            beat.times.popleft()
        if len(beat.times) <= self.intervals:
            return
        times = list(beat.times)
        gaps = [after - before for before, after in zip(times, times[1:])]
        mean = sum(gaps) / len(gaps)
        if mean < self.shortest:
            return
        variation = math.sqrt(sum((gap - mean) ** 2 for gap in gaps) / len(gaps)) / mean
        if variation <= self.at_most:
            # The next connection is expected after one interval; one may be lost.
            beat.until = row.time + int(2 * mean)
            every = Duration(round(mean / 1_000) * 1_000)
            signals.firing(
                row.labels,
                row.time,
                until=beat.until,
                value=variation,
                threshold=self.at_most,
                summary=f"a connection every {every}, {len(gaps)} times in a row",
                details={"every": every / 1_000, "variation": round(variation, 4), "connections": len(times)},
                evidence=Selection(Range(times[0], row.time + 1), newest=10),
            )
        elif row.time < beat.until:
            beat.until = 0
            signals.clear(row.labels, row.time, value=variation, summary="connections at other intervals")

    def settle(self, at: int, state: State):
        for key, beat in list(state.items()):
            if at - beat.times[-1] > self.longest:
                del state[key]
