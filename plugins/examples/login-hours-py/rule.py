"""`login-hours`: logins of certain users at a time of day when they should not.

It is the class `AwesomeRule` of ElastAlert's documentation, carried over; docs/leaving-elastalert.md shows both.
"""
from watchbell import Context, Fault, Plan, Question, Range, Row, Rule, Signals, hits, param

MINUTE = 60_000
DAY = 24 * 60 * MINUTE
CLOCK = "^([01][0-9]|2[0-3]):[0-5][0-9]$"


def millis(clock: str) -> int:
    """Milliseconds since midnight."""
    hours, minutes = clock.split(":")
    return (int(hours) * 60 + int(minutes)) * MINUTE


class LoginHours(Rule):
    """Tells of each login of one of `usernames` between `time_start` and `time_end`, in UTC."""

    name = "login-hours"
    version = "0.1.0"
    summary = "Tells of logins of certain users at certain hours"
    details = ["username"]

    usernames: list[str] = param("Whose logins are told.", minItems=1)
    time_start: str = param("From then on, for example 22:00.", pattern=CLOCK)
    time_end: str = param("Until then; before `time_start` it means the next day.", pattern=CLOCK)

    def plan(self, context: Context) -> Plan:
        if self.time_start == self.time_end:
            raise Fault("/time_end", "must be another time than `time_start`")
        return Plan()

    def questions(self, over: Range) -> list[Question]:
        return [hits(over, ["username"], only={"username": self.usernames}, identified=True)]

    def row(self, row: Row, state: dict, signals: Signals):
        start, end, at = millis(self.time_start), millis(self.time_end), row.time % DAY
        is_between = start < at < end if start < end else at > start or at < end
        if is_between:
            signals.event(
                row.labels,
                row.time,
                summary=f"{row['username']} logged in between {self.time_start} and {self.time_end}",
                details={"username": row["username"]},
                evidence=row.document(),
            )
