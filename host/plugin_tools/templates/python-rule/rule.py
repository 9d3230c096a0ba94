"""`plugin-name`: a burst of events with the same key."""
from collections import deque

from watchbell import Context, Duration, Fault, Plan, Row, Rule, Signals, param


class PluginName(Rule):
    """Fires when a key has at least `at_least` events `within` a duration."""

    name = "plugin-name"
    version = "0.1.0"
    summary = "Fires on a burst of events with the same key"
    # Increase it when the meaning of the state changes: the host then rebuilds the state from the past.
    state_version = 1
    # What its signals tell besides; with it, `watchbell check` finds texts that use others.
    details = ["count"]

    # The parameters, as a manifest writes them. They are valid by the schema that is made of these lines.
    at_least: int = param("How many events it takes.", minimum=1, maximum=100_000)
    within: Duration = param("Within how long, for example 5m.")

    # It must be a fold over the rows and nothing else: the host splits time into windows as it likes, and passes rows
    # again when documents arrive late. Here: the times of the newest events per key.
    State = dict[str, deque[int]]

    def plan(self, context: Context) -> Plan:
        """Checks the parameters, and returns how much of the past the first run must read."""
        if self.within == 0:
            raise Fault("/within", "must be longer than nothing")
        return Plan(history=self.within)

    def row(self, row: Row, state: State, signals: Signals):
        """Called for each row in order of time, once for each key that the row belongs to."""
        times = state.setdefault(row.key, deque())
        while times and row.time - times[0] >= self.within:
            times.popleft()
        times.append(row.time)
        if len(times) >= self.at_least:
            signals.firing(
                row.labels,
                row.time,
                until=row.time + self.within,
                value=len(times),
                threshold=self.at_least,
                summary=f"{len(times)} events within {self.within}",
                details={"count": len(times)},
            )

    def settle(self, at: int, state: State):
        """Drops from the state what rows after `at` no longer need."""
        for key, times in list(state.items()):
            while times and at - times[0] >= self.within:
                times.popleft()
            if not times:
                del state[key]
