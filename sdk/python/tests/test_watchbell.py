"""What the package `watchbell` promises to rules."""
import dataclasses
import json
import logging
import subprocess
import sys
import typing
import unittest
from collections import deque

from watchbell import Document, Duration, Fault, Metric, Plan, Range, Round, Rule, Selection, Signals, param
from watchbell import buckets, cluster, hits, search, shapes
from watchbell.rules import Context, read_params
from watchbell.testing import ORIGIN, Timeline, at


class Checked(Rule):
    """Tells at each check how many documents came since the one before."""

    name = "checked"
    State = dict[str, int]

    def plan(self, context):
        return Plan(history=60_000, grid=10_000)

    def row(self, row, state, signals):
        state["count"] = state.get("count", 0) + 1

    def check(self, at, state, signals):
        count = state.pop("count", 0)
        if count:
            signals.event([], at, value=count)


class Averages(Rule):
    """The mean duration of slow requests a minute, per user."""

    name = "averages"

    def plan(self, context):
        return Plan(grid=60_000)

    def questions(self, over):
        metrics = [Metric("mean", "average", "took", filter="slow"), Metric("p50", "percentile", "took", percent=50)]
        only = {"env": ["prod", None]}
        return [buckets(over, 60_000, ["user"], metrics=metrics, filters={"slow": "slow"}, only=only)]

    def row(self, row, state, signals):
        details = {name: row[name] for name in ("user", "_count", "mean", "p50", "slow")}
        signals.event(row.labels, row.time, details=details)


class Returning(Rule):
    """Users of a window who were there before it."""

    name = "returning"
    State = dict[str, list[str]]

    def rounds(self, over, state):
        yield Round([hits(over, ["user"])], is_scouting=True)
        users = state.pop("scouted", [])
        yield [hits(Range(over.start - 600_000, over.end), ["user"], only={"user": users})]

    def scout(self, row, state):
        state.setdefault("scouted", []).append(row["user"])

    def row(self, row, state, signals):
        seen = state.setdefault("seen", [])
        if row["user"] in seen:
            signals.event([], row.time, identity=row["user"])
        seen.append(row["user"])


class Asking(Rule):
    name = "asking"

    def questions(self, over):
        return [search(over, "{}", {"hits": "/hits/total/value"}), cluster(over, "health")]

    def row(self, row, state, signals):
        got = row["hits" if row.question == 0 else "status"]
        signals.event([], row.time, identity=row.question, details={"got": got})


@dataclasses.dataclass
class Seen:
    times: deque[int] = dataclasses.field(default_factory=deque)
    users: set[str] = dataclasses.field(default_factory=set)
    last: Duration | None = None


class TimesTest(unittest.TestCase):
    def test_durations_read_as_they_are_written(self):
        for text, millis in (("90s", 90_000), ("1h30m", 5_400_000), ("250ms", 250), ("1w", 604_800_000), ("0s", 0)):
            self.assertEqual(Duration(text), millis)
            self.assertEqual(Duration(str(Duration(text))), millis)
        self.assertEqual(f"{Duration(90_000)}", "1m30s")
        for text in ("", "5", "m", "5 m", "-5m", "5y", "5m3"):
            with self.assertRaises(ValueError, msg=text):
                Duration(text)


class ShapesTest(unittest.TestCase):
    def test_parameters_have_a_schema_and_are_read(self):
        class Typed(Rule):
            limits: list[int] = param("Limits.", default=[1])
            span: Duration = param("How long.", default=Duration("5m"))
            mode: typing.Literal["any", "all"] = param("Which.")
            extra: float | None = param("More.", default=None)
            kept_for: Duration = param("How long.", default=Duration("1d"), keeps_state=True)
            fields: list[str] = param("Shown.", default=[], names_details=True)

        schema = shapes.schema(Typed)
        self.assertEqual(schema["required"], ["mode"])
        self.assertEqual(schema["properties"]["mode"], {"enum": ["any", "all"], "description": "Which."})
        self.assertEqual(schema["properties"]["span"]["default"], "5m")
        self.assertEqual(schema["properties"]["extra"]["type"], "number")
        self.assertIs(schema["properties"]["kept_for"]["x-watchbell-meaning"], False)
        self.assertIs(schema["properties"]["fields"]["x-watchbell-details"], True)
        read = read_params(Typed, {"mode": "any", "span": "90s", "extra": 2})
        self.assertEqual((read.span, read.limits, read.extra), (90_000, [1], 2.0))
        with self.assertRaises(Fault) as raised:
            read_params(Typed, {"mode": "any", "span": "long"})
        self.assertEqual(raised.exception.path, "/span")

    def test_states_read_back_and_equal_ones_are_equal_bytes(self):
        kind = dict[str, Seen]
        one = {"b": Seen(deque([1, 2]), {"x", "a"}, Duration(5)), "a": Seen()}
        other = {"a": Seen(), "b": Seen(deque([1, 2]), {"a", "x"}, Duration(5))}
        self.assertEqual(shapes.written(one), shapes.written(other))
        self.assertEqual(shapes.read(kind, json.loads(shapes.written(one))), one)
        with self.assertRaises(TypeError):
            shapes.read(dict[str, int], {"a": "1"})
        with self.assertRaises(TypeError):
            shapes.written({"a": object()})

    def test_a_layout_changes_with_names_and_types(self):
        renamed = dataclasses.make_dataclass("Seen", [("moments", deque[int]), ("users", set[str])])
        layouts = {shapes.layout(kind) for kind in (Seen, renamed, dict[str, Seen], dict[str, int], dict)}
        self.assertEqual(len(layouts), 5)
        self.assertEqual(shapes.layout(Seen), shapes.layout(dataclasses.make_dataclass("Other", [
            ("times", deque[int]), ("users", set[str]), ("last", Duration | None)])))


class RunTest(unittest.TestCase):
    def test_a_check_sees_the_rows_before_it(self):
        timeline = Timeline(Checked, {}).add("0s", {}, count=5, every="5s")
        found = [(signal.at, signal.value) for signal in timeline.run()]
        self.assertEqual(found, [(at("10s"), 2), (at("20s"), 2), (at("30s"), 1)])
        timeline.add("3s", {}, arrives="25s").assert_fold("2m")

    def test_buckets_are_counted_per_value_and_minute(self):
        timeline = Timeline(Averages, {}, queries={"slow": lambda fields: fields["took"] > 10})
        timeline.add("10s", {"user": "ann", "took": 20}).add("20s", {"user": "ann", "took": 40, "env": "prod"})
        timeline.add("30s", {"user": "ann", "took": 6}).add("40s", {"user": "bob", "took": 99, "env": "test"})
        (signal,) = timeline.run("2m")
        expected = {"user": "ann", "_count": 3, "mean": 30.0, "p50": 20, "slow": 2}
        self.assertEqual((signal.at, json.loads(signal.details)), (ORIGIN, expected))

    def test_a_scouting_round_decides_what_to_ask(self):
        timeline = Timeline(Returning, {}, every="5m").add("1m", {"user": "ann"}).add("6m", {"user": "ann"})
        timeline.add("2m", {"user": "bob"})
        found = timeline.run()
        self.assertEqual([(signal.at, signal.identity) for signal in found][-1], (at("6m"), "ann"))

    def test_searches_and_views_of_the_cluster_are_answered(self):
        timeline = Timeline(Asking, {}, every="10m").answer("1m", "search", [{"hits": 7}])
        timeline.answer("2m", "health", [{"status": "red"}])
        self.assertEqual([json.loads(signal.details)["got"] for signal in timeline.run()], [7, "red"])

    def test_documents_with_several_keys_come_once_for_each(self):
        class Named(Rule):
            def questions(self, over):
                return [hits(over, ["port"], filters={"high": "high"}, identified=True)]

            def row(self, row, state, signals):
                state[row.key] = state.get(row.key, 0) + 1
                details = {"ports": row.values("port"), "high": row["high"], "n": state[row.key]}
                signals.event(row.labels, row.time, details=details, evidence=row.document())

        high = {"high": lambda fields: max(fields["port"]) > 100}
        timeline = Timeline(Named, {}, key=["host.name", "up"], queries=high)
        timeline.add("1s", {"host": {"name": ["a", "b", "a"]}, "up": True, "port": [80, 443], "_id": "x"})
        timeline.add("2s", {"host.name": "b", "port": [1]})
        found = [(signal.labels, json.loads(signal.details)) for signal in timeline.run()]
        both = {"ports": [80, 443], "high": True, "n": 1}
        self.assertEqual(found, [
            (["a", "true"], both), (["b", "true"], both), (["b", None], {"ports": [1], "high": False, "n": 1})])
        self.assertEqual(timeline.run()[0].evidence, [Document(at("1s"), "x", "logs-1")])

    def test_a_rule_that_is_no_fold_is_found_out(self):
        class Forgetful(Checked):
            def settle(self, at, state):
                state.clear()

        class Outside(Checked):
            kept = []

            def row(self, row, state, signals):
                self.kept.append(row.time)
                if len(self.kept) % 3 == 0:
                    signals.event([], row.time)

            def check(self, at, state, signals):
                pass

        class Windowed(Checked):
            def rounds(self, over, state):
                state["count"] = 1
                yield self.questions(over)

        for rule in (Outside, Windowed):
            with self.assertRaises(AssertionError, msg=rule.__name__) as raised:
                Timeline(rule, {}).add("2s", {}, count=80, every="7s").assert_fold()
            self.assertIn("cut into windows", str(raised.exception))
        # Between two checks it would lose what it counted, but its windows end at checks.
        Timeline(Forgetful, {}).add("2s", {}, count=80, every="7s").assert_fold()


class SignalsTest(unittest.TestCase):
    def found(self, **about):
        signals = Signals()
        signals.event(["a"], 5, **about)
        return signals.sorted(1)[0]

    def test_long_texts_are_shortened(self):
        signal = self.found(summary="ü" * 5_000, details={"trace": "x" * 300_000, "n": 7}, identity="i" * 9_000)
        self.assertLessEqual(len(signal.summary.encode()), 2_048)
        self.assertTrue(signal.summary.endswith("…"))
        details = json.loads(signal.details)
        self.assertEqual(details["n"], 7)
        self.assertLess(len(signal.details), 65_536)
        self.assertLessEqual(len(signal.identity.encode()), 4_096)
        self.assertNotEqual(signal.identity, self.found(identity="i" * 9_001).identity)

    def test_what_is_no_number_and_no_json_does_no_harm(self):
        signal = self.found(value=float("nan"), details={"set": {2, 1}, "odd": object, "inf": float("inf")})
        self.assertIsNone(signal.value)
        self.assertEqual((json.loads(signal.details)["set"], json.loads(signal.details)["inf"]), ([1, 2], None))
        with self.assertLogs("watchbell", logging.WARNING):
            self.assertEqual(self.found(details=[1]).details, "{}")

    def test_evidence_is_a_selection_or_documents(self):
        self.assertEqual(self.found(evidence=Document(5, "x")).evidence, [Document(5, "x")])
        self.assertIsNone(self.found(evidence=[Document(5, "")]).evidence)
        self.assertEqual(len(self.found(evidence=[Document(5, str(n)) for n in range(20)]).evidence), 10)
        over = Selection(Range(0, 9), newest=3)
        self.assertEqual(self.found(evidence=over).evidence, over)

    def test_labels_must_fit_the_key(self):
        signals = Signals()
        signals.event(["a", None], 5)
        with self.assertRaises(ValueError):
            signals.sorted(1)
        with self.assertRaises(TypeError):
            signals.event([7], 5)

    def test_signals_are_in_order_and_an_instant_is_cut(self):
        signals = Signals()
        for number in range(20_000):
            signals.event([f"{20_000 - number:05}"], 5, summary="s" * 200)
        with self.assertLogs("watchbell", logging.WARNING):
            found = signals.sorted(1)
        self.assertTrue(0 < len(found) <= 10_000)
        self.assertEqual(found[0].labels, ["00001"])


class ContextTest(unittest.TestCase):
    def test_a_rule_knows_its_manifest(self):
        class Curious(Rule):
            def plan(self, context: Context):
                if not context.key:
                    raise Fault("", "needs a key")
                return Plan(history=context.lateness)

        with self.assertRaises(Fault):
            Timeline(Curious, {})
        Timeline(Curious, {}, key=["host"], lateness="1m")


class SandboxTest(unittest.TestCase):
    """What a component does where Python would end without a word; each in an interpreter of its own."""

    def said(self, *lines):
        begin = ["import sys", "from watchbell import sandbox", "told = sys.__stderr__", "sandbox.prepare()"]
        enter = "sandbox.enter(lambda level, line: told.write(f'{level} {line}\\n'))"
        script = "\n".join([*begin, *(enter if line == "enter" else line for line in lines)])
        return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True).stderr

    def test_texts_go_to_the_log(self):
        said = self.said("import logging", "enter", "print('one', 2)", "print('part', end='')", "sys.stdout.flush()",
                         "logging.getLogger('x').error('three')", "sys.stderr.write('four\\n')")
        self.assertEqual(said, "20 one 2\n20 part\n40 three\n30 four\n")

    def test_the_clock_says_the_end_of_the_window(self):
        said = self.said(
            "import time", "from datetime import date, datetime, timezone",
            "enter", "sandbox.set_now(1_700_000_000_500)",
            "print(time.time(), time.monotonic_ns())",
            "print(datetime.now(timezone.utc).isoformat(), date.today(), time.gmtime().tm_year)",
            "print(isinstance(datetime.strptime('2024', '%Y'), datetime), isinstance(date(2024, 1, 1), datetime))",
        )
        self.assertEqual(said.splitlines(), [
            "20 1700000000.5 1700000000500000000", "20 2023-11-14T22:13:20.500000+00:00 2023-11-14 2023",
            "20 True False"])
        self.assertEqual(self.said("import time", "enter", "print(time.time())"), "20 0.0\n")

    def test_what_there_is_not_is_refused_with_a_sentence(self):
        for line, sentence in (
            ("open('x')", "a rule has no files"),
            ("import os; os.listdir('/')", "a rule has no files"),
            ("import random; random.random()", "a rule has no randomness"),
            ("import random; random.Random()", "a rule has no randomness"),
            ("import os; os.urandom(3)", "a rule has no randomness"),
            ("import time; time.sleep(1)", "a rule cannot sleep"),
            ("import csv", "import `csv` at the top of a module"),
        ):
            tried = f"try:\n    {line}\nexcept Exception as error:\n    print(error)"
            self.assertIn(sentence, self.said("enter", tried), line)
        self.assertEqual(self.said("import random", "enter", "print(random.Random('x').randint(1, 1))"), "20 1\n")


COMPONENT = """
import json, sys, types

class Named(type):
    def __getitem__(cls, member):
        return f"{cls.__name__}.{member}"

class Wit(types.ModuleType):
    "Any type of the contract, as a record of what it was made of."
    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        def init(self, *values):
            self.values = values
            self.value = values[0] if values else None
        made = Named(name, (), {"__init__": init})
        setattr(self, name, made)
        return made

class Err(Exception):
    pass

wit = Wit("types")
sys.modules["componentize_py_types"] = types.SimpleNamespace(Err=Err)
sys.modules["wit_world"] = types.ModuleType("wit_world")
sys.modules["wit_world.imports"] = types.SimpleNamespace(log=Wit("log"), types=wit)

def plain(value):
    if isinstance(value, list):
        return [plain(one) for one in value]
    if type(type(value)) is Named:
        return [type(value).__name__, *(plain(one) for one in value.values)]
    return value

from watchbell import component
from watchbell import *
"""


class ComponentTest(unittest.TestCase):
    """The translation to the contract's types, in an interpreter where the contract is played."""

    def said(self, *lines):
        script = COMPONENT + "\n".join(lines)
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
        self.assertEqual(done.stderr, "")
        return [json.loads(line) for line in done.stdout.splitlines()]

    def test_questions(self):
        ((_, questions, is_scouting),) = self.said(
            "over = Range(0, 9)",
            "metrics = [Metric('m', 'percentile', 'took', percent=50, filter='q'), Metric('s', 'sum', script='1')]",
            "only = {'u': ['v', None]}",
            "asked = [hits(over, ['a'], filters={'f': {'x': 1}}, only=only, filter='y:1', identified=True),",
            "    buckets(over, 60, ['b'], metrics=metrics), search(over, '{}', {'t': '/t'}),",
            "    cluster(over, 'pending_tasks')]",
            "print(json.dumps(plain(component._round(Round(asked, True)))))",
        )
        over = ["Range", 0, 9]
        hit = ["Hits", ["a", "_index", "_id"], [["NamedFilter", "f", ["Query_Dsl", '{"x": 1}']]]]
        metrics = [
            ["Metric", "m", ["Source_Field", "took"], ["Calc_Percentile", 50.0], ["Query_Lucene", "q"]],
            ["Metric", "s", ["Source_Script", "1"], ["Calc_Sum"], None],
        ]
        self.assertTrue(is_scouting)
        self.assertEqual(questions, [
            ["Question", over, [["AnyOf", "u", ["v", None]]], ["Query_Lucene", "y:1"], ["Ask_Hits", hit]],
            ["Question", over, [], None, ["Ask_Buckets", ["Buckets", ["b"], 60, metrics, []]]],
            ["Question", over, [], None, ["Ask_Search", ["RawSearch", "{}", [["Pick", "t", "/t"]]]]],
            ["Question", over, [], None, ["Ask_Cluster", "ClusterView.PENDING_TASKS"]],
        ])

    def test_columns_of_each_kind(self):
        self.assertEqual(self.said(
            "from types import SimpleNamespace as Some",
            "def shown(values, present=b'', offsets=(), rows=2):",
            "    told = Some(values=values, present=present, offsets=list(offsets), is_mapped=True)",
            "    column = component._column(told, rows)",
            "    print(json.dumps([column.first, column.all]))",
            "shown(wit.Values_Integers([5, 0]), b'\\x01')",
            "shown(wit.Values_Booleans(b'\\x01\\x00'))",
            "shown(wit.Values_Points(Some(latitudes=[1.0, 2.0], longitudes=[3.0, 4.0])))",
            "words = Some(codes=[1, 0, 1], ends=[2, 5], bytes='ü→'.encode())",
            "shown(wit.Values_Words(words), offsets=[0, 3, 3])",
            "shown(wit.Values_Words(Some(codes=[0, 0], ends=[], bytes=b'')), b'\\x00')",
        ), [
            [[5, None], None], [[True, False], None], [[[1.0, 3.0], [2.0, 4.0]], None],
            [["→", None], [["→", "ü", "→"], []]], [[None, None], None],
        ])

    def test_signals(self):
        one, other = self.said(
            "found = Signals()",
            "found.event(['a', None], 5, identity='i', value=1, evidence=[Document(5, 'x'), Document(6, 'y', 'logs')])",
            "found.firing(['a', None], 6, until=9, evidence=Selection(Range(0, 7), {'u': [None]}, 'q', 99))",
            "for signal in found.sorted(2): print(json.dumps(plain(component._signal(signal))))",
        )
        documents = ["Evidence_Documents", [["Document", 5, None, "x"], ["Document", 6, "logs", "y"]]]
        self.assertEqual(one, [
            "Signal", ["a", None], 5, "SignalKind.EVENT", None, "i", 1.0, None, "", "{}", documents])
        selection = ["Selection", ["Range", 0, 7], [["AnyOf", "u", [None]]], ["Query_Lucene", "q"], 10]
        self.assertEqual(other[3:5] + other[-1:], ["SignalKind.FIRING", 9, ["Evidence_Selection", selection]])


if __name__ == "__main__":
    unittest.main()
