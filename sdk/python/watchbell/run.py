"""Evaluates one window: checks and rows in order of time, and the state in between."""
import json

from . import shapes
from .questions import Round
from .rows import Row
from .rules import read_params
from .signals import Signals
from .times import Range

QUESTIONS_MAX = 64
ROUNDS_MAX = 4


class StateFault(Exception):
    """The given state cannot be read."""


class Run:
    """A run of a rule on a window: driven by the component's exports and by the native tests.

    `window` has `start`, `settled` and `end`. The host passes rows in order of time, and calls `snapshot` after all
    rows before `settled` and before any other.
    """

    def __init__(self, rule, params, context, state, window):
        self._rule = read_params(rule, params)
        self._context = context
        self._window = window
        plan = self._rule.plan(context)
        self._state = rule.State() if state is None else _read(rule.State, state)
        self._signals = Signals()
        every = plan.check_every or plan.grid
        # Checks of a grid count back from the window's end; others are on multiples of their interval.
        phase = window.end if plan.grid else 0
        self._every = every
        self._next = None if not every else window.start + every - (window.start - phase) % every
        self._rounds = self._rule.rounds(Range(window.start, window.end), self._state)
        self._asked = 0
        self._is_scouting = False

    def questions(self):
        """The next round, or None."""
        asked = next(self._rounds, None)
        if asked is None:
            return None
        given = asked if isinstance(asked, Round) else Round(list(asked))
        self._asked += 1
        if given.questions and self._asked > ROUNDS_MAX:
            raise ValueError(f"more than {ROUNDS_MAX} rounds of questions")
        if len(given.questions) > QUESTIONS_MAX:
            raise ValueError(f"{len(given.questions)} questions in one round, more than {QUESTIONS_MAX}")
        self._is_scouting = given.is_scouting
        return given

    def answer(self, page):
        state = self._state
        if self._is_scouting:
            scout = self._rule.scout
            for index, time in enumerate(page.times):
                scout(Row(page, index, time), state)
            return
        row, signals = self._rule.row, self._signals
        for index, time in enumerate(page.times):
            if self._next is not None and self._next <= time:
                self._check(time)
            row(Row(page, index, time), state, signals)

    def snapshot(self) -> bytes:
        settled = self._window.settled
        self._check(settled)
        self._rule.settle(settled, self._state)
        return shapes.written(self._state)

    def finish(self):
        self._check(self._window.end)
        return self._signals.sorted(len(self._context.key))

    def _check(self, until):
        """Runs what is due up to and including `until`. A check sees the rows before it."""
        while self._next is not None and self._next <= until:
            self._rule.check(self._next, self._state, self._signals)
            self._next += self._every


def _read(kind, state):
    try:
        return shapes.read(kind, json.loads(state))
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise StateFault(f"the state cannot be read: {error}") from error
