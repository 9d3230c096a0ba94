"""What a rule in Python is made of. README.md shows each part with an example."""
from .questions import Metric, Question, Round, buckets, cluster, hits, search
from .rows import Row
from .rules import Context, Fault, Faults, Plan, Rule
from .shapes import param
from .signals import Document, Selection, Signals
from .times import Duration, Range, shown

__all__ = [
    "Context",
    "Document",
    "Duration",
    "Fault",
    "Faults",
    "Metric",
    "Plan",
    "Question",
    "Range",
    "Round",
    "Row",
    "Rule",
    "Selection",
    "Signals",
    "buckets",
    "cluster",
    "hits",
    "param",
    "search",
    "shown",
]
