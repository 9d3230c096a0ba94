import unittest

from rule import PORTS_MAX, PortScan
from watchbell import Faults
from watchbell.testing import Timeline, at

PAIR = {"source.ip": "203.0.113.9", "destination.ip": "192.0.2.1"}


def scan(params=None, **options):
    params = {"ports": 5, "within": "1m", **(params or {})}
    return Timeline(PortScan, params, key=["source.ip", "destination.ip"], **options)


def touched(timeline, ports, start, every=1_000, pair=PAIR):
    """A connection to each of the ports, `every` so many milliseconds."""
    for number, port in enumerate(ports):
        timeline.add(f"{start + number * every}ms", {**pair, "destination.port": port})
    return timeline


class PortScanTest(unittest.TestCase):
    def test_many_ports_fire_and_hold(self):
        found = touched(scan(), range(20, 25), 10_000).run()
        self.assertEqual([(signal.kind, signal.at) for signal in found], [("firing", at("14s"))])
        self.assertEqual((found[0].until, found[0].value, found[0].summary), (at("74s"), 5, "5 ports within 1m"))
        self.assertEqual((found[0].evidence.over.start, found[0].evidence.over.end), (at("14s") - 59_999, at("14s") + 1))

    def test_a_scan_that_lasts_is_told_every_tenth_of_its_time(self):
        found = touched(scan(), range(1, 101), 0).run()
        self.assertEqual([signal.at for signal in found][:3], [at("4s"), at("10s"), at("16s")])

    def test_one_port_and_ports_far_apart_stay_quiet(self):
        self.assertEqual(touched(scan(), [443] * 50, 0).run(), [])
        self.assertEqual(touched(scan(), range(1, 10), 0, every=15_000).run(), [])

    def test_many_destinations_are_no_scan_of_one(self):
        timeline = scan()
        for number in range(10):
            pair = {"source.ip": "203.0.113.9", "destination.ip": f"192.0.2.{number}"}
            touched(timeline, [80, 443], 1_000 * number, pair=pair)
        self.assertEqual(timeline.run(), [])

    def test_more_ports_than_are_counted_are_said_to_be_more(self):
        found = touched(scan({"ports": PORTS_MAX}), range(1, 3_000), 0, every=10).run()
        self.assertEqual({signal.summary for signal in found}, {f"{PORTS_MAX} or more ports within 1m"})

    def test_how_time_is_cut_into_windows_changes_nothing(self):
        timeline = touched(scan(lateness="2m"), [20, 21, 21, 22, 23, 24, 25, 80] * 4, 5_000, every=4_000)
        timeline.add("40s", {**PAIR, "destination.port": [8080, 8443]}, arrives="100s").assert_fold()

    def test_faults_are_told_at_once(self):
        with self.assertRaises(Faults) as told:
            Timeline(PortScan, {"ports": 5, "within": "0s"})
        self.assertEqual([fault.path for fault in told.exception.faults], ["/within", ""])


if __name__ == "__main__":
    unittest.main()
