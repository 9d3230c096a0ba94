"""The rule as it is, without WebAssembly. `watchbell plugin test` also runs the cases through the component."""
import unittest

from rule import PluginName
from watchbell import Fault
from watchbell.testing import Timeline, at


def three_a_minute(**options):
    return Timeline(PluginName, {"at_least": 3, "within": "1m"}, key=["host"], **options)


class PluginNameTest(unittest.TestCase):
    def test_three_within_a_minute_are_a_burst_of_one_host_alone(self):
        timeline = three_a_minute()
        timeline.add("10s", {"host": "a"}, count=3, every="20s").add("15s", {"host": "b"}, count=2, every="20s")
        (signal,) = timeline.run()
        self.assertEqual((signal.kind, signal.labels, signal.at), ("firing", ["a"], at("50s")))
        self.assertEqual((signal.until, signal.summary), (at("110s"), "3 events within 1m"))

    def test_events_further_apart_stay_quiet(self):
        self.assertEqual(three_a_minute().add("0s", {"host": "a"}, count=9, every="30s").run(), [])

    def test_a_late_event_counts_where_it_belongs(self):
        timeline = three_a_minute(lateness="2m").add("20s", {"host": "a"}, count=2, every="10s")
        timeline.add("10s", {"host": "a"}, arrives="90s")
        self.assertEqual([signal.at for signal in timeline.run()], [at("30s")])

    def test_how_time_is_cut_into_windows_changes_nothing(self):
        timeline = three_a_minute().add("3s", {"host": "a"}, count=40, every="14s")
        timeline.add("1s", {"host": "b"}, count=60, every="9s").add("100s", {"host": "a"}, arrives="150s")
        timeline.assert_fold()

    def test_nothing_is_not_a_duration(self):
        with self.assertRaises(Fault) as raised:
            Timeline(PluginName, {"at_least": 3, "within": "0s"})
        self.assertEqual((raised.exception.path, raised.exception.message), ("/within", "must be longer than nothing"))


if __name__ == "__main__":
    unittest.main()
