"""A rule's questions. The manifest's index and filter always apply as well, and the host adds the key fields."""
from dataclasses import dataclass, field

from .times import Range

# A condition on documents: Lucene query-string syntax as a text, or an Elasticsearch query as a dict.
Query = str | dict

CALCULATIONS = ("minimum", "maximum", "average", "sum", "value_count", "cardinality", "percentile")
VIEWS = ("health", "unassigned_shards", "pending_tasks", "disks", "gate")


@dataclass
class Metric:
    """A number for each bucket, as a column `name`, of the values of `field` or of what the Painless `script` returns.

    `calc` is one of `minimum`, `maximum`, `average`, `sum`, `value_count`, `cardinality` and `percentile`, which needs
    `percent` (0 to 100). `filter` says which of the bucket's documents count.
    """

    name: str
    calc: str
    field: str | None = None
    script: str | None = None
    percent: float | None = None
    filter: Query | None = None

    def __post_init__(self):
        if self.calc not in CALCULATIONS:
            raise ValueError(f"`{self.calc}` is no calculation: choose one of {', '.join(CALCULATIONS)}")
        if (self.field is None) == (self.script is None):
            raise ValueError(f"the metric `{self.name}` needs a field or a script")
        if (self.calc == "percentile") != (self.percent is not None):
            raise ValueError(f"the metric `{self.name}` needs `percent` for a percentile, and only there")


@dataclass
class Hits:
    fields: list[str]
    filters: dict[str, Query]


@dataclass
class Buckets:
    by: list[str]
    every: int | None
    metrics: list[Metric]
    filters: dict[str, Query]


@dataclass
class RawSearch:
    body: str
    picks: dict[str, str]


@dataclass
class Question:
    """One question: made by `hits`, `buckets`, `search` or `cluster`."""

    over: Range
    # What is asked; for a view of the cluster, its name.
    ask: Hits | Buckets | RawSearch | str
    only: dict[str, list[str | None]] = field(default_factory=dict)
    filter: Query | None = None


@dataclass
class Round:
    """Questions that are asked together. The rows of a scouting round go to `scout` instead of `row`."""

    questions: list[Question]
    is_scouting: bool = False


def hits(over: Range, fields=(), *, filters=None, only=None, filter=None, identified=False, types=()) -> Question:
    """Documents, one row each, with the named fields as columns.

    `filters` are conditions by name: each becomes a column of booleans. `only` keeps documents whose field has one of
    the values, `{"user": ["ann", None]}`; None stands for documents without the field. `filter` keeps those that match.
    `identified` adds `_index` and `_id`, which `row.document()` needs; `types` the mapped type of these fields.
    """
    asked = [*fields, *(["_index", "_id"] if identified else []), *(f"_type:{name}" for name in types)]
    return Question(over, Hits(asked, filters or {}), only or {}, filter)


def buckets(over: Range, every=None, by=(), *, metrics=(), filters=None, only=None, filter=None) -> Question:
    """Counts (`_count`) and metrics per group, per combination of values of `by` and per `every` milliseconds, aligned
    with the checks; without `every`, for the whole range. `filters` become columns of counts.
    """
    return Question(over, Buckets(list(by), every, list(metrics), filters or {}), only or {}, filter)


def search(over: Range, body: str, picks: dict[str, str], *, only=None, filter=None) -> Question:
    """A search as the manifest's author wrote it: one row, whose columns `picks` takes from the response, by name and
    JSON pointer.
    """
    return Question(over, RawSearch(body, picks), only or {}, filter)


def cluster(over: Range, view: str) -> Question:
    """A view of the cluster's own state: `health`, `unassigned_shards`, `pending_tasks`, `disks` or `gate`."""
    if view not in VIEWS:
        raise ValueError(f"`{view}` is no view of a cluster: choose one of {', '.join(VIEWS)}")
    return Question(over, view)
