"""Plays timelines through ElastAlert2's own rule classes: a case a line in, its matches a line out.

A case is {"type", "options", "documents": [{"at", "fields"}], "from", "until", "every"}, times in milliseconds. Its
documents are handed over as ElastAlert's engine does it, a run each `every`: what lies before the run's end, then the
end itself, at which rules notice that nothing came. Out comes {"matches": [{"at", "key", "value"}]}: when the rule
matched, which is not always the time of the document that it shows.
"""

import datetime
import json
import sys

from elastalert import ruletypes

EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
FIELD = "@timestamp"
TYPES = {
    "any": ruletypes.AnyRule,
    "blacklist": ruletypes.BlacklistRule,
    "whitelist": ruletypes.WhitelistRule,
    "change": ruletypes.ChangeRule,
    "frequency": ruletypes.FrequencyRule,
    "spike": ruletypes.SpikeRule,
    "flatline": ruletypes.FlatlineRule,
    "new_term": ruletypes.NewTermsRule,
    "cardinality": ruletypes.CardinalityRule,
    "metric_aggregation": ruletypes.MetricAggregationRule,
    "percentage_match": ruletypes.PercentageMatchRule,
    "spike_aggregation": ruletypes.SpikeMetricAggregationRule,
}
# Judged by what is there at the end of a page, so they get the documents of a run at once.
BY_PAGE = ("flatline",)
AGGREGATED = ("metric_aggregation", "percentage_match", "spike_aggregation")


class NoHistory(ruletypes.NewTermsRule):
    """Begins without a look at what was there before: no cluster stands behind these timelines."""

    def get_all_terms(self, args):
        self.seen_values = {tuple(f) if isinstance(f, list) else f: [] for f in self.fields}


TYPES["new_term"] = NoHistory


def time(millis):
    return EPOCH + datetime.timedelta(milliseconds=millis)


def make(case):
    options = {FIELD: FIELD, "timestamp_field": FIELD, "name": "r", **case["options"]}
    if "timeframe" in options:
        options["timeframe"] = datetime.timedelta(milliseconds=options["timeframe"])
    # The rules of one process share these; each of ours has its own.
    ruletypes.ChangeRule.change_map = {}
    ruletypes.ChangeRule.occurrence_time = {}
    return TYPES[case["type"]](options)


def document(entry):
    return {**entry["fields"], FIELD: time(entry["at"])}


def metric(kind, values):
    calc = {
        "max": lambda: max(values, default=None),
        "min": lambda: min(values, default=None),
        "sum": lambda: float(sum(values)),
        "value_count": lambda: len(values),
        "avg": lambda: sum(values) / len(values) if values else None,
    }
    return calc[kind]()


def aggregated(case, rule, entries):
    """What the cluster would have answered for these documents."""
    options = case["options"]

    def bucket(entries):
        if case["type"] == "percentage_match":
            name, value = options["match_field"], options["match_value"]
            matching = sum(1 for entry in entries if entry["fields"].get(name) == value)
            counts = {"match_bucket": {"doc_count": matching}, "_other_": {"doc_count": len(entries) - matching}}
            return {"percentage_match_aggs": {"buckets": counts}}
        field = options["metric_agg_key"]
        values = [entry["fields"][field] for entry in entries if field in entry["fields"]]
        return {rule.metric_key: {"value": metric(options["metric_agg_type"], values)}}

    key = options.get("query_key")
    if key is None:
        return bucket(entries)
    groups = {}
    for entry in entries:
        if key in entry["fields"]:
            groups.setdefault(entry["fields"][key], []).append(entry)
    return {"bucket_aggs": {"buckets": [{"key": k, **bucket(group)} for k, group in sorted(groups.items())]}}


def play(case):
    rule = make(case)
    matches = []
    key_field = case["options"].get("query_key")

    def drain(at):
        for match in rule.matches:
            key = match.get("key" if case["type"] == "flatline" else key_field) if key_field else None
            found = {"at": at, "key": key}
            for name in ("count", "spike_count", "metric_agg_value", "percentage"):
                if name in match:
                    found["value"] = match[name]
            matches.append(found)
        rule.matches = []

    entries = sorted(case["documents"], key=lambda entry: entry["at"])
    begin = case["from"]
    for end in range(case["from"] + case["every"], case["until"] + 1, case["every"]):
        page = [entry for entry in entries if begin <= entry["at"] < end]
        if case["type"] in AGGREGATED:
            rule.add_aggregation_data({time(end): aggregated(case, rule, page)})
        elif case["type"] in BY_PAGE:
            if page:
                rule.add_data([document(entry) for entry in page])
                drain(page[-1]["at"])
        else:
            for entry in page:
                rule.add_data([document(entry)])
                drain(entry["at"])
        rule.garbage_collect(time(end))
        drain(end)
        begin = end
    return matches


def main():
    for line in sys.stdin:
        print(json.dumps({"matches": play(json.loads(line))}), flush=True)


main()
