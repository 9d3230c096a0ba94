"""The class that rules extend."""
import dataclasses
import typing

from . import shapes
from .questions import Question, Round, hits
from .times import Range


@dataclasses.dataclass(frozen=True)
class Context:
    """What a rule knows of its manifest besides its parameters."""

    # The key fields, in the manifest's order; empty without a key.
    key: list[str]
    # The interval between the ends of windows, in milliseconds; None if the manifest's schedule is `cron`.
    every: int | None
    # How late a document may arrive and still be evaluated, in milliseconds.
    lateness: int
    # The index patterns that are searched.
    indices: list[str]


@dataclasses.dataclass(frozen=True)
class Plan:
    """What a rule needs from the host, in milliseconds.

    `history` is how much of the past it must read before its first window. `grid` is the interval between its checks,
    on which windows end as well; `check_every` is one for checks on its multiples while windows may end anywhere.
    """

    history: int = 0
    grid: int | None = None
    check_every: int | None = None


class Fault(Exception):
    """An invalid parameter. `path` is a JSON pointer, such as `/within`; empty for the parameters as a whole."""

    def __init__(self, path: str, message: str):
        super().__init__(path, message)
        self.path = path
        self.message = message


class Faults(Exception):
    """Several of them, to be raised at once."""

    def __init__(self, faults: list[Fault]):
        super().__init__(faults)
        self.faults = faults


class Rule:
    """A rule: a class whose annotated members are its parameters, with functions that process rows.

    `row` is called for every row, in order of time, and `check` at every point of the plan's grid. A check at an
    instant sees exactly the rows before it. Both may only change the state and add signals, and these must depend on
    nothing but the parameters, the rows and the state: then windows can be split, merged and repeated, and processes
    restarted, without changing the result.
    """

    # What manifests write after `use:` if the rule is built in; 1 to 4,096 bytes.
    name: typing.ClassVar[str]
    # For people.
    version: typing.ClassVar[str] = "0.1.0"
    summary: typing.ClassVar[str] = ""
    # Increase it when the meaning of the state changes: the host then rebuilds the state from the past.
    state_version: typing.ClassVar[int] = 1
    # The names that `details` of its signals have; with it, `watchbell check` finds texts that use others.
    details: typing.ClassVar[list[str] | None] = None
    # The state's type. Called without arguments, it makes the state before all rows.
    State: typing.ClassVar[typing.Any] = dict

    def __init_subclass__(cls, **options):
        super().__init_subclass__(**options)
        dataclasses.dataclass(frozen=True)(cls)

    def plan(self, context: Context) -> Plan:
        """Checks the parameters and whether they fit the manifest. Raises a `Fault`, or `Faults`."""
        return Plan()

    def questions(self, over: Range) -> list[Question]:
        """The questions about `over`, at most 64; by default, every document with its key fields alone."""
        return [hits(over)]

    def rounds(self, over: Range, state) -> typing.Iterator[list[Question] | Round]:
        """A generator of at most four rounds of questions. When it goes on, the rows of the round before have been
        processed. By default, there is one round, of `questions`.
        """
        yield self.questions(over)

    def scout(self, row, state):
        """Processes a row of a scouting round, which serves only to decide what to ask next."""

    def row(self, row, state, signals):
        """Processes a row."""
        raise NotImplementedError(f"{type(self).__name__} has no function `row`")

    def check(self, at: int, state, signals):
        """Runs a check at `at`, whether or not there were rows."""

    def settle(self, at: int, state):
        """Drops from the state what rows and checks after `at` no longer need."""


def read_params(rule: type[Rule], params: dict) -> Rule:
    """Raises a `Fault` with the pointer of the parameter that cannot be read."""
    hints = typing.get_type_hints(rule)
    read = {}
    for name, value in params.items():
        try:
            read[name] = shapes.read(hints[name], value)
        except (TypeError, ValueError, KeyError) as error:
            raise Fault(f"/{name}", str(error)) from None
    return rule(**read)
