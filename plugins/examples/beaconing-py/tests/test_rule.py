import random
import unittest

from rule import Beaconing
from watchbell import Fault
from watchbell.testing import Timeline, at

PAIR = {"source.ip": "10.0.0.7", "destination.ip": "203.0.113.9"}


def beaconing(params=None, **options):
    params = {"intervals": 5, **(params or {})}
    return Timeline(Beaconing, params, key=["source.ip", "destination.ip"], **options)


def jittered(timeline, pair, seed, count, every, jitter):
    """Connections `every` so many seconds, give or take `jitter`."""
    chance, moment = random.Random(seed), 1_000
    for _ in range(count):
        timeline.add(f"{moment}ms", pair)
        moment += int(1_000 * (every + chance.uniform(-jitter, jitter)))
    return timeline


class BeaconingTest(unittest.TestCase):
    def test_constant_intervals_fire_and_hold(self):
        found = beaconing().add("10s", PAIR, count=8, every="30s").run()
        self.assertEqual([signal.at for signal in found], [at("160s"), at("190s"), at("220s")])
        self.assertEqual((found[0].kind, found[0].until, found[0].value), ("firing", at("220s"), 0))
        self.assertEqual(found[0].summary, "a connection every 30s, 5 times in a row")
        self.assertEqual((found[0].evidence.over.start, found[0].evidence.over.end), (at("10s"), at("160s") + 1))

    def test_a_little_jitter_fires_and_much_does_not(self):
        self.assertTrue(jittered(beaconing(), PAIR, 1, 15, every=30, jitter=2).run())
        self.assertEqual(jittered(beaconing(), PAIR, 1, 15, every=30, jitter=25).run(), [])

    def test_another_rhythm_ends_it(self):
        timeline = beaconing().add("10s", PAIR, count=6, every="30s").add("165s", PAIR)
        self.assertEqual([(signal.kind, signal.at) for signal in timeline.run()], [
            ("firing", at("160s")), ("clear", at("165s"))])

    def test_traffic_of_many_connections_a_second_is_ordinary(self):
        self.assertEqual(beaconing().add("10s", PAIR, count=500, every="100ms").run(), [])

    def test_a_late_connection_counts_where_it_belongs(self):
        timeline = beaconing(lateness="3m").add("10s", PAIR, count=3, every="30s").add("130s", PAIR, count=2, every="30s")
        self.assertEqual(timeline.run(), [])
        timeline.add("100s", PAIR, arrives="4m")
        self.assertEqual([signal.at for signal in timeline.run()], [at("160s")])

    def test_how_time_is_cut_into_windows_changes_nothing(self):
        timeline = jittered(beaconing(), PAIR, 2, 18, every=30, jitter=3)
        jittered(timeline, {"source.ip": "10.0.0.8", "destination.ip": ["203.0.113.9", "203.0.113.10"]}, 3, 40, 14, 2)
        timeline.add("3m", PAIR, arrives="5m").assert_fold()

    def test_a_key_is_needed(self):
        with self.assertRaises(Fault):
            Timeline(Beaconing, {})


if __name__ == "__main__":
    unittest.main()
