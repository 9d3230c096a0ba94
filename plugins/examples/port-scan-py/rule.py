"""`port-scan`: one source touches many different ports of one destination within a short time."""
from dataclasses import dataclass, field

from watchbell import Context, Duration, Fault, Faults, Plan, Question, Range, Row, Rule, Selection, Signals, hits, param

# Ports are counted exactly up to so many per pair of addresses.
PORTS_MAX = 1_024
# With so many, the state drops all but the newest `PORTS_MAX`.
KEPT_MAX = 2 * PORTS_MAX


@dataclass
class Scan:
    """What one source did to one destination."""

    # When each port was touched last.
    ports: dict[str, int] = field(default_factory=dict)
    # Until when the level holds that was told last; 0: none.
    until: int = 0

    def touch(self, port: str, at: int):
        if port not in self.ports and len(self.ports) == KEPT_MAX:
            newest = sorted(self.ports.items(), key=lambda seen: seen[1], reverse=True)
            self.ports = dict(newest[:PORTS_MAX])
        self.ports[port] = at

    def forget(self, until: int):
        """Drops ports that were last touched at `until` or before."""
        self.ports = {port: at for port, at in self.ports.items() if at > until}


class PortScan(Rule):
    """Fires while one source touches at least `ports` different ports of one destination `within` a duration."""

    name = "port-scan"
    version = "0.1.0"
    summary = "Fires while one source touches many ports of one destination"
    details = ["ports"]

    ports: int = param("How many different ports it takes.", minimum=2, maximum=PORTS_MAX)
    within: Duration = param("Within how long, for example 1m.")
    field: str = param("The field of the port.", default="destination.port", minLength=1)

    State = dict[str, Scan]

    def plan(self, context: Context) -> Plan:
        faults = []
        if self.within == 0:
            faults.append(Fault("/within", "must be longer than nothing"))
        if not context.key:
            example = "`key: [source.ip, destination.ip]`"
            faults.append(Fault("", f"needs a key, such as {example}: otherwise all hosts together are one scan"))
        if faults:
            raise Faults(faults)
        # Ports further apart than `within` are never counted together: that much of the past is enough.
        return Plan(history=self.within * 2)

    def questions(self, over: Range) -> list[Question]:
        return [hits(over, [self.field])]

    def row(self, row: Row, state: State, signals: Signals):
        port = row[self.field]
        if port is None:
            return
        scan = state.setdefault(row.key, Scan())
        scan.touch(str(port), row.time)
        # The level is told again when a tenth of its time has passed, not for every packet.
        if len(scan.ports) < self.ports or row.time + self.within < scan.until + self.within / 10:
            return
        scan.forget(row.time - self.within)
        if len(scan.ports) < self.ports:
            return
        scan.until = row.time + self.within
        count = min(len(scan.ports), PORTS_MAX)
        more = " or more" if count == PORTS_MAX else ""
        signals.firing(
            row.labels,
            row.time,
            until=scan.until,
            value=count,
            threshold=self.ports,
            summary=f"{count}{more} ports within {self.within}",
            details={"ports": count},
            evidence=Selection(Range(row.time - self.within + 1, row.time + 1), newest=10),
        )

    def settle(self, at: int, state: State):
        for key, scan in list(state.items()):
            scan.forget(at - self.within)
            if not scan.ports:
                del state[key]
