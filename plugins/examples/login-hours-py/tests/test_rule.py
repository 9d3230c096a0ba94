import unittest

from rule import LoginHours
from watchbell import Fault
from watchbell.testing import Timeline, at


def nightly(start="22:00", end="06:00", **options):
    params = {"usernames": ["ann", "root"], "time_start": start, "time_end": end}
    return Timeline(LoginHours, params, every="1h", **options)


class LoginHoursTest(unittest.TestCase):
    def test_a_login_between_the_times_is_told_with_its_document(self):
        timeline = nightly("01:00", "02:00").add("90m", {"username": "ann", "_id": "x"})
        (signal,) = timeline.run("1d")
        self.assertEqual((signal.kind, signal.at), ("event", at("90m")))
        self.assertEqual(signal.summary, "ann logged in between 01:00 and 02:00")
        self.assertEqual(signal.evidence[0].id, "x")

    def test_other_users_and_other_times_are_not(self):
        timeline = nightly("01:00", "02:00").add("90m", {"username": "bob"}).add("30m", {"username": "ann"})
        timeline.add("1h", {"username": "ann"}).add("2h", {"username": "ann"})
        self.assertEqual(timeline.run("1d"), [])

    def test_a_night_crosses_midnight(self):
        timeline = nightly().add("23h", {"username": "root"}).add("12h", {"username": "root"})
        timeline.add("29h", {"username": "ann"})
        self.assertEqual([signal.at for signal in timeline.run("2d")], [at("23h"), at("29h")])

    def test_two_logins_of_one_instant_are_two_and_each_is_told_once(self):
        timeline = nightly(lateness="2h").add("23h", {"username": "root"}).add("23h", {"username": "root"})
        timeline.add("22h30m", {"username": "ann"}, arrives="23h30m")
        self.assertEqual(len(timeline.run("2d")), 3)
        timeline.assert_fold("2d")

    def test_times_that_are_no_range_are_a_fault(self):
        with self.assertRaises(Fault):
            nightly("22:00", "22:00")


if __name__ == "__main__":
    unittest.main()
