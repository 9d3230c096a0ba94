"""Tests of a rule in plain Python: documents on a timeline, and windows over them, as the host would evaluate them.

Parameters are not compared with the schema here: `watchbell plugin test` does that, with the component.
"""
import collections
import copy
import itertools
import json
import random
from dataclasses import dataclass

from .questions import Buckets, Hits
from .rows import Column, Page
from .rules import Context, read_params
from .run import Run
from .signals import Document
from .times import Duration, shown

# The start of a timeline: 2024-01-01T00:00:00Z, a Monday.
ORIGIN = 1_704_067_200_000
GROUPS_MAX = 64


def at(text: str) -> int:
    """An instant of a timeline: `at("90s")`."""
    return ORIGIN + Duration(text)


@dataclass
class _Document:
    time: int
    arrives: int
    fields: dict

    def values(self, field):
        value = self.fields.get(field)
        if value is None:
            return []
        return value if isinstance(value, list) else [value]


@dataclass
class _Window:
    start: int
    settled: int
    end: int


class Timeline:
    """A rule with its parameters, and documents. `queries` says what the filters of its questions mean here: the text
    of each with a function of a document's fields, `{"status:500": lambda fields: fields["status"] == 500}`.
    """

    def __init__(self, rule, params, *, key=(), every="1m", lateness="0s", indices=("logs-*",), queries=None,
                 page_rows=1_000):
        self._rule = rule
        self._params = params
        self._context = Context(list(key), Duration(every), Duration(lateness), list(indices))
        self._plan = read_params(rule, params).plan(self._context)
        self._queries = {_text_of(query): holds for query, holds in (queries or {}).items()}
        self._page_rows = page_rows
        self._documents: list[_Document] = []
        self._answers = []

    def add(self, time, fields, *, count=1, every="0s", arrives=None):
        """Adds `count` documents, the first at `time`, each `every` after the one before. Members of members can be
        written as `{"host.name": "web-1"}`. The first is found from `arrives` on, the others at once.
        """
        for number in range(count):
            moment = at(time) + number * Duration(every)
            seen = at(arrives) if arrives is not None and number == 0 else moment
            named = {"_index": "logs-1", "_id": f"{len(self._documents):06}", **_flat(fields)}
            self._documents.append(_Document(moment, seen, named))
        self._documents.sort(key=lambda one: (one.time, one.fields["_index"], one.fields["_id"]))
        return self

    def answer(self, time, of, rows):
        """From `time` on, the answer to raw searches (`of` is "search") or to a view of the cluster: a list of rows."""
        self._answers.append((at(time), of, rows))
        return self

    def run(self, until="10m"):
        """All signals up to `until`, as the host would report them: once, however often a window is evaluated."""
        end, every, lateness = at(until), self._context.every, self._context.lateness
        ends = [*range(ORIGIN + every, end, every), end]
        reported, known = [], []
        for window, run in self._windows(ends, lateness, self._page_rows):
            found = run.finish()
            left = collections.Counter(_identity(signal) for signal in known)
            fresh = []
            for signal in found:
                if left[_identity(signal)] > 0:
                    left[_identity(signal)] -= 1
                else:
                    fresh.append(signal)
            reported += fresh
            known = [signal for signal in known + fresh if signal.at >= window.settled]
        return reported

    def assert_fold(self, until="10m", times=25):
        """Asserts that the signals do not depend on how the host cuts time into windows, on pages, on restarts, and on
        documents that arrive late, but within the lateness.
        """
        latest = max((one.arrives - one.time for one in self._documents), default=0)
        end = at(until)
        whole = self._final([end], 0, 1_000, at_once=True)
        step = self._plan.grid or 1_000
        for seed in range(times):
            chance = random.Random(seed)
            longest = chance.randint(1, max(1, (end - ORIGIN) // step // 3))
            ends, moment = [], end
            while moment > ORIGIN:
                ends.append(moment)
                moment -= step * chance.randint(1, longest)
            lateness = latest + step * chance.randint(0, 5)
            # The last window is settled: all documents have arrived.
            cut = self._final(ends[::-1], lateness, chance.randint(1, 50))
            if cut != whole:
                shorter = [shown(one) for one in ends[::-1][:-1]]
                differences = [f"- {one}" for one in whole if one not in cut]
                differences += [f"+ {one}" for one in cut if one not in whole]
                raise AssertionError(
                    "the signals depend on how time is cut into windows: with windows that end at "
                    f"{', '.join(shorter)} and a lateness of {Duration(lateness)}, these differ\n"
                    + "\n".join(differences)
                )

    def _final(self, ends, lateness, page_rows, at_once=False):
        """What is found when no later document can change it, in order of time."""
        found = []
        for _, run in self._windows(ends, lateness, page_rows, is_flushed=True, at_once=at_once):
            found += run.settled_signals
        key = len(self._context.key)
        order = sorted(found, key=lambda one: (one.at, [label or "" for label in one.labels], one.kind))
        return [one for one in order if one.at >= ORIGIN and len(one.labels) == key]

    def _windows(self, ends, lateness, page_rows, is_flushed=False, at_once=False):
        """A run for each window, with its state taken. The past is read first, and settled."""
        start, state = ORIGIN - self._plan.history, None
        if self._plan.grid:
            start -= (start - ends[0]) % self._plan.grid
        if start < ORIGIN:
            state = self._evaluate(_Window(start, ORIGIN, ORIGIN), None, page_rows, at_once)[1]
        settled = ORIGIN
        for end in ends:
            late = end - lateness
            if self._plan.grid:
                late -= (late - end) % self._plan.grid
            window = _Window(settled, max(settled, end if is_flushed and end == ends[-1] else late), end)
            run, state = self._evaluate(window, state, page_rows, at_once or is_flushed and end == ends[-1])
            settled = window.settled
            yield window, run

    def _evaluate(self, window, state, page_rows, has_arrived):
        run = _Kept(self._rule, copy.deepcopy(self._params), self._context, state, window)
        visible = [one for one in self._documents if has_arrived or one.arrives <= window.end]
        kept = None
        while (given := run.questions()) and given.questions:
            answers = [self._rows(question, visible, window) for question in given.questions]
            if given.is_scouting:
                for number, rows in enumerate(answers):
                    for begun in range(0, len(rows), page_rows):
                        run.answer(_page(number, rows[begun : begun + page_rows], self._context.key))
                continue
            merged = sorted(
                ((row[0], number, place, row) for number, rows in enumerate(answers) for place, row in enumerate(rows)),
                key=lambda one: one[:3],
            )
            begun = 0
            while begun < len(merged):
                number, is_late = merged[begun][1], merged[begun][0] >= window.settled
                last = begun
                while (last < len(merged) and last - begun < page_rows and merged[last][1] == number
                       and (merged[last][0] >= window.settled) == is_late):
                    last += 1
                if is_late and kept is None:
                    kept = run.snapshot()
                run.answer(_page(number, [one[3] for one in merged[begun:last]], self._context.key))
                begun = last
        if kept is None:
            kept = run.snapshot()
        return run, kept

    def _rows(self, question, documents, window):
        """Rows: an instant, the labels, and the values of each column."""
        over, ask = question.over, question.ask
        if not isinstance(ask, (Hits, Buckets)):
            of = ask if isinstance(ask, str) else "search"
            last = over.end - 1
            told = [entry for entry in self._answers if entry[1] == of and entry[0] <= last]
            newest = max((entry[0] for entry in told), default=None)
            return [
                (last, (), {name: [] if value is None else [value] for name, value in row.items()})
                for moment, _, rows in told
                if moment == newest
                for row in rows
            ]
        chosen = [
            one
            for one in documents
            if over.start <= one.time < over.end
            and all(_has_any(one, field, values) for field, values in question.only.items())
            and self._holds(question.filter, one)
        ]
        if isinstance(ask, Hits):
            return [(one.time, labels, self._hit(ask, one)) for one in chosen for labels in self._labels(one)]
        phase = window.end if self._plan.grid else 0
        found = collections.defaultdict(list)
        for one in chosen:
            start = over.start if ask.every is None else one.time - (one.time - phase) % ask.every
            for labels in self._labels(one):
                for by in _combinations(one, ask.by):
                    found[(max(start, over.start), labels, by)].append(one)
        if not found and ask.every is None and not ask.by and not self._context.key:
            found[(over.start, (), ())] = []
        order = sorted(found.items(), key=lambda one: (one[0][0], str(one[0][1:])))
        return [(start, labels, self._bucket(ask, by, members)) for (start, labels, by), members in order]

    def _hit(self, ask, one):
        columns = {field: one.values(field) for field in ask.fields}
        for field in ask.fields:
            if field.startswith("_type:"):
                columns[field] = ["keyword"] if one.values(field[6:]) else []
        return columns | {name: [self._holds(query, one)] for name, query in ask.filters.items()}

    def _bucket(self, ask, by, members):
        columns = {field: [] if value is None else [value] for field, value in zip(ask.by, by)}
        columns["_count"] = [len(members)]
        for metric in ask.metrics:
            counted = [one for one in members if self._holds(metric.filter, one)]
            if metric.script is not None:
                values = [self._query(metric.script)(one.fields) for one in counted]
            else:
                values = [value for one in counted for value in one.values(metric.field)]
            columns[metric.name] = _calculated(metric, values)
        return columns | {
            name: [sum(self._holds(query, one) for one in members)] for name, query in ask.filters.items()
        }

    def _labels(self, one):
        return _combinations(one, self._context.key, as_text=True)

    def _holds(self, query, one):
        return query is None or bool(self._query(query)(one.fields))

    def _query(self, query):
        text = _text_of(query)
        if text not in self._queries:
            hint = f"pass `queries={{{text!r}: lambda fields: …}}`"
            raise AssertionError(f"the test does not say what `{text}` means: {hint}")
        return self._queries[text]


class _Kept(Run):
    """A run that tells which signals belong to the state that it keeps."""

    settled_signals = ()

    def snapshot(self):
        state = super().snapshot()
        self.settled_signals = list(self._signals.found)
        return state


def _page(number, rows, key):
    labels, groups = {}, []
    for _, values, _ in rows:
        groups.append(labels.setdefault(values, len(labels)))
    names = rows[0][2] if rows else ()
    columns = {}
    for name in names:
        every = [row[2].get(name, []) for row in rows]
        is_plain = all(len(values) <= 1 for values in every)
        first = [values[0] if values else None for values in every]
        columns[name] = Column(first, None if is_plain else every)
    times = [row[0] for row in rows]
    if not key or not any(labels):
        return Page(number, times, columns)
    return Page(number, times, columns, groups, list(labels))


def _combinations(one, fields, as_text=False):
    """The combinations of the fields' values, as a terms aggregation over them would find them."""
    choices = [list(dict.fromkeys(one.values(field))) or [None] for field in fields]
    if as_text:
        choices = [[value if value is None else _label(value) for value in values] for values in choices]
    return list(itertools.islice(itertools.product(*choices), GROUPS_MAX))


def _label(value):
    return str(value).lower() if isinstance(value, bool) else str(value)


def _has_any(one, field, values):
    found = one.values(field)
    return any(_label(value) in values for value in found) if found else None in values


def _calculated(metric, values):
    if metric.calc == "value_count":
        return [len(values)]
    if metric.calc == "cardinality":
        return [len(set(values))]
    if metric.calc == "sum":
        return [float(sum(values))]
    if not values:
        return []
    if metric.calc == "percentile":
        place = (len(values) - 1) * metric.percent / 100
        ordered = sorted(values)
        low = int(place)
        high = min(low + 1, len(values) - 1)
        return [ordered[low] + (ordered[high] - ordered[low]) * (place - low)]
    return [float({"minimum": min, "maximum": max, "average": lambda all: sum(all) / len(all)}[metric.calc](values))]


def _identity(signal):
    """What makes two signals the same: texts and details never count."""
    if signal.kind != "event":
        return (signal.kind, *signal.labels, signal.at)
    identity = signal.identity
    if identity is None and isinstance(signal.evidence, list) and len(signal.evidence) == 1:
        document: Document = signal.evidence[0]
        identity = (document.index, document.id)
    return ("event", *signal.labels, signal.at, identity)


def _text_of(query):
    return query if isinstance(query, str) else json.dumps(query, sort_keys=True)


def _flat(fields, before=""):
    flat = {}
    for name, value in fields.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{before}{name}.")
        else:
            flat[before + name] = value
    return flat
