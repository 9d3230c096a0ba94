"""The component's exports: translates between the contract's types, which exist only inside the component, and the
package's own.
"""
import json
import logging
import sys
import traceback

from componentize_py_types import Err
from wit_world.imports import log
from wit_world.imports import types as wit

from . import sandbox, shapes
from .questions import Buckets, Hits, RawSearch
from .rows import Column, NoColumn, Page
from .rules import Context, Fault, Faults, read_params
from .rules import Rule as Base
from .run import Run as Core
from .run import StateFault
from .signals import shortened

LINE_BYTES_MAX = 4 << 10
_PACKAGE = __file__.rsplit("/", 1)[0] + "/"
_PROJECT = _PACKAGE.removesuffix("watchbell/")


def _write(level, message):
    for bound, kind in (
        (logging.ERROR, log.Level.ERROR),
        (logging.WARNING, log.Level.WARN),
        (logging.INFO, log.Level.INFO),
        (logging.DEBUG, log.Level.DEBUG),
    ):
        if level >= bound:
            return log.write(kind, shortened(message, LINE_BYTES_MAX))
    return log.write(log.Level.TRACE, shortened(message, LINE_BYTES_MAX))


# Before the rule is imported, so that it gets what the sandbox has put in place.
sandbox.prepare()


def exports(module):
    """The classes `Rule` and `Run` that the contract asks for, of the one rule that the module defines."""
    defined = [one for one in vars(module).values() if isinstance(one, type) and issubclass(one, Base)]
    own = [one for one in defined if one.__module__ == module.__name__]
    if len(own) != 1:
        names = ", ".join(f"`{one.__name__}`" for one in own) or "none"
        raise TypeError(f"`{module.__name__}.py` must define one class that extends `Rule`; found: {names}")
    rule = own[0]
    # While the component is built, what is wrong with them can be told.
    schema = shapes.schema(rule)
    if rule.details is not None:
        schema["x-watchbell-details"] = rule.details
    layout = shapes.layout(rule.State)
    about = wit.About(rule.name, rule.version, rule.summary, json.dumps(schema), rule.state_version, layout)

    class Rule:
        def describe(self):
            return about

        def prepare(self, params, context):
            sandbox.enter(_write)
            try:
                plan = read_params(rule, json.loads(params)).plan(_context(context))
                return wit.Plan(plan.history, plan.grid)
            except Fault as fault:
                raise Err([wit.Fault(fault.path, fault.message)])
            except Faults as found:
                raise Err([wit.Fault(fault.path, fault.message) for fault in found.faults])
            except BaseException as error:
                raise Err([wit.Fault("", _sentence(error))])

    class Run:
        @classmethod
        def start(cls, call):
            def start():
                sandbox.set_now(call.window.end)
                run = cls()
                run._core = Core(rule, json.loads(call.params), _context(call.context), call.state, call.window)
                return run

            return _told(start)

        def questions(self):
            return _told(lambda: _round(self._core.questions()))

        def answer(self, question, page):
            return _told(lambda: self._core.answer(_page(question, page)))

        def snapshot(self):
            return _told(self._core.snapshot)

        def finish(self):
            return _told(lambda: wit.Finding([_signal(signal) for signal in self._core.finish()]))

    return Rule, Run


def _told(work):
    """An exception would end the instance without a word."""
    sandbox.enter(_write)
    try:
        return work()
    except StateFault as fault:
        raise Err(wit.Problem_State(str(fault)))
    except NoColumn as fault:
        raise Err(wit.Problem_Rows(_sentence(fault)))
    except BaseException as error:
        sentence = _sentence(error)
        _write(logging.ERROR, "".join(traceback.format_exception(error)))
        raise Err(wit.Problem_Other(sentence))
    finally:
        sys.stdout.flush()
        sys.stderr.flush()


def _sentence(error):
    """What happened and where: the innermost place in the project's own modules."""
    place = ""
    for frame, line in traceback.walk_tb(error.__traceback__):
        code = frame.f_code
        if code.co_filename.startswith(_PROJECT) and not code.co_filename.startswith(_PACKAGE):
            place = f" ({code.co_filename.rsplit('/', 1)[-1]}:{line}, in `{code.co_name}`)"
    name = "" if isinstance(error, (NoColumn, Fault)) else f"{type(error).__name__}: "
    text = getattr(error, "message", None) or str(error)
    return shortened(f"{name}{text}{place}", LINE_BYTES_MAX)


def _context(context):
    return Context(list(context.key), context.every, context.lateness, list(context.indices))


def _query(query):
    if query is None:
        return None
    return wit.Query_Lucene(query) if isinstance(query, str) else wit.Query_Dsl(json.dumps(query))


def _only(only):
    return [wit.AnyOf(field, list(values)) for field, values in only.items()]


def _filters(filters):
    return [wit.NamedFilter(name, _query(query)) for name, query in filters.items()]


def _metric(metric):
    source = wit.Source_Field(metric.field) if metric.script is None else wit.Source_Script(metric.script)
    calc = {
        "minimum": wit.Calc_Minimum,
        "maximum": wit.Calc_Maximum,
        "average": wit.Calc_Average,
        "sum": wit.Calc_Sum,
        "value_count": wit.Calc_ValueCount,
        "cardinality": wit.Calc_Cardinality,
        "percentile": lambda: wit.Calc_Percentile(float(metric.percent)),
    }[metric.calc]()
    return wit.Metric(metric.name, source, calc, _query(metric.filter))


def _ask(ask):
    match ask:
        case Hits():
            return wit.Ask_Hits(wit.Hits(ask.fields, _filters(ask.filters)))
        case Buckets():
            metrics = [_metric(metric) for metric in ask.metrics]
            return wit.Ask_Buckets(wit.Buckets(ask.by, ask.every, metrics, _filters(ask.filters)))
        case RawSearch():
            picks = [wit.Pick(name, pointer) for name, pointer in ask.picks.items()]
            return wit.Ask_Search(wit.RawSearch(ask.body, picks))
        case view:
            return wit.Ask_Cluster(wit.ClusterView[view.upper()])


def _range(over):
    return wit.Range(int(over.start), int(over.end))


def _round(given):
    if given is None:
        return None
    questions = [
        wit.Question(_range(one.over), _only(one.only), _query(one.filter), _ask(one.ask)) for one in given.questions
    ]
    return wit.Round(questions, given.is_scouting)


def _page(question, page):
    rows = len(page.times)
    columns = {column.field: _column(column, rows) for column in page.columns}
    if not page.groups.rows:
        return Page(question, page.times, columns)
    fields = [_column(labels, _length(labels)).first for labels in page.groups.labels]
    return Page(question, page.times, columns, page.groups.rows, list(zip(*fields)))


def _length(column):
    return len(column.values.value.codes)


def _column(column, rows):
    values = _values(column.values)
    if column.offsets:
        ends = column.offsets
        every = [values[ends[row] : ends[row + 1]] for row in range(rows)]
        return Column([found[0] if found else None for found in every], every, column.is_mapped)
    if column.present:
        present = column.present
        values = [value if present[row >> 3] >> (row & 7) & 1 else None for row, value in enumerate(values)]
    return Column(values, None, column.is_mapped)


def _values(values):
    value = values.value
    match values:
        case wit.Values_Words():
            words, start = [], 0
            for end in value.ends:
                words.append(str(value.bytes[start:end], "utf-8"))
                start = end
            # A page without words has codes of 0 for its missing values.
            return [words[code] for code in value.codes] if words else [None] * len(value.codes)
        case wit.Values_Booleans():
            return [byte == 1 for byte in value]
        case wit.Values_Points():
            return list(zip(value.latitudes, value.longitudes))
        case _:
            return value


def _signal(signal):
    evidence = signal.evidence
    if isinstance(evidence, list):
        documents = [wit.Document(int(one.at), one.index, one.id) for one in evidence]
        evidence = wit.Evidence_Documents(documents)
    elif evidence is not None:
        newest = min(evidence.newest, 10)
        selection = wit.Selection(_range(evidence.over), _only(evidence.only), _query(evidence.filter), newest)
        evidence = wit.Evidence_Selection(selection)
    return wit.Signal(
        signal.labels,
        signal.at,
        wit.SignalKind[signal.kind.upper()],
        signal.until,
        signal.identity,
        signal.value,
        signal.threshold,
        signal.summary,
        signal.details,
        evidence,
    )
