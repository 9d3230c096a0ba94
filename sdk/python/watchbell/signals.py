"""A rule's signals. Texts that are too long are shortened, so that none of them fails a run."""
import hashlib
import json
import logging
import math
from dataclasses import dataclass, field

from .shapes import plain
from .times import Range, shown

# Below the host's own limits.
SUMMARY_BYTES_MAX = 2 << 10
DETAILS_BYTES_MAX = 64 << 10
IDENTITY_BYTES_MAX = 4 << 10
DOCUMENTS_MAX = 10
INSTANT_SIGNALS_MAX = 10_000
INSTANT_BYTES_MAX = 3 << 20

KINDS = ("firing", "clear", "event")

_log = logging.getLogger("watchbell")


@dataclass
class Document:
    """A document, by its name. Without an index, the host looks in all indices of the manifest."""

    at: int
    id: str
    index: str | None = None


@dataclass
class Selection:
    """Documents of `over` with the signal's labels, which the host adds. `newest` is how many of them are expected to
    be relevant, at most 10.
    """

    over: Range
    only: dict[str, list[str | None]] = field(default_factory=dict)
    filter: str | dict | None = None
    newest: int = 0


@dataclass
class Signal:
    kind: str
    labels: list[str | None]
    at: int
    until: int | None
    identity: str | None
    value: float | None
    threshold: float | None
    summary: str
    # A JSON object, as text.
    details: str
    evidence: Selection | list[Document] | None


class Signals:
    """Collects what a rule finds.

    `labels` are a row's. `at` is when it happened, within the window. `value` is what a manifest's `worse:` compares.
    `summary` is one line for people; the members of `details` are `details.*` in a manifest's texts. `evidence` is a
    `Selection`, or a list of at most 10 documents.
    """

    def __init__(self):
        self.found: list[Signal] = []

    def firing(self, labels, at, *, until=None, **about):
        """A level that holds until `until`; by default to the end of the next step of the grid, or of the manifest's
        `every`.
        """
        self._add("firing", labels, at, until, None, **about)

    def clear(self, labels, at, **about):
        """The end of a level, before its time has run out."""
        self._add("clear", labels, at, None, None, **about)

    def event(self, labels, at, *, identity=None, **about):
        """Something that is announced once. `identity` tells it from other events of its instant and labels; by
        default it is the name of its document, if its evidence is one.
        """
        self._add("event", labels, at, None, identity, **about)

    def _add(self, kind, labels, at, until, identity, *, value=None, threshold=None, summary="", details=None,
             evidence=None):
        labels = list(labels)
        if not all(label is None or isinstance(label, str) for label in labels):
            raise TypeError(f"labels are texts or None, not {labels}")
        if isinstance(evidence, Document):
            evidence = [evidence]
        if isinstance(evidence, list):
            # A document without a name cannot be found again.
            evidence = [document for document in evidence if document.id][:DOCUMENTS_MAX] or None
        self.found.append(Signal(kind, labels, int(at), None if until is None else int(until), _identity(identity),
                                 _finite(value), _finite(threshold), shortened(str(summary), SUMMARY_BYTES_MAX),
                                 _details(details or {}), evidence))

    def sorted(self, key_fields: int) -> list[Signal]:
        """By time, then labels: a rule may have iterated over its groups in any order."""
        for signal in self.found:
            if len(signal.labels) != key_fields:
                raise ValueError(f"a signal has {len(signal.labels)} labels, but the key has {key_fields} fields")
        order = [[(label is not None, label or "") for label in signal.labels] for signal in self.found]
        ranked = sorted(zip(self.found, order), key=lambda one: (one[0].at, one[1], KINDS.index(one[0].kind)))
        return _cut([signal for signal, _ in ranked])


def _cut(found):
    """Where a run finds too much, the host halves the window; but one instant cannot be halved."""
    if not found or found[0].at != found[-1].at:
        return found
    kept, size = 0, 0
    for signal in found[:INSTANT_SIGNALS_MAX]:
        size += 128 + sum(len(label or "") for label in signal.labels) + len(signal.summary) + len(signal.details)
        if size > INSTANT_BYTES_MAX:
            break
        kept += 1
    if kept < len(found):
        _log.warning("%d signals at %s: only the first %d are reported", len(found), shown(found[0].at), kept)
    return found[:kept]


def shortened(text: str, bytes_max: int) -> str:
    """The beginning of a text and an ellipsis; the whole text if it fits."""
    data = text.encode(errors="replace")
    if len(data) <= bytes_max:
        return data.decode()
    return data[: bytes_max - 3].decode(errors="ignore") + "…"


def _finite(number):
    return float(number) if number is not None and math.isfinite(number) else None


def _identity(identity):
    """A long identity ends in a hash of the whole: two with the same beginning stay distinct."""
    if identity is None:
        return None
    data = str(identity).encode(errors="replace")
    if len(data) <= IDENTITY_BYTES_MAX:
        return data.decode()
    return shortened(data.decode(), IDENTITY_BYTES_MAX - 64) + hashlib.sha256(data).hexdigest()


def _details(details):
    if not isinstance(details, dict):
        _log.warning("details must be a dict, not a %s", type(details).__name__)
        return "{}"
    text = _json(details)
    if len(text.encode()) <= DETAILS_BYTES_MAX:
        return text
    whole = json.loads(text)
    # Each step keeps less; texts are shortened before lists.
    for bytes_max, items_max in ((16 << 10, 256), (4 << 10, 64), (1 << 10, 32), (256, 16), (64, 4), (16, 1)):
        shorter = _json(_shorten(whole, bytes_max, items_max))
        if len(shorter.encode()) <= DETAILS_BYTES_MAX:
            return shorter
    _log.warning("details of %d bytes are dropped", len(text))
    return "{}"


def _json(details):
    def other(value):
        try:
            return plain(value)
        except TypeError:
            return str(value)

    # NaN is no JSON.
    text = json.dumps(details, default=other, ensure_ascii=False)
    if "NaN" in text or "Infinity" in text:
        text = json.dumps(json.loads(text, parse_constant=lambda _: None), ensure_ascii=False)
    return text.encode(errors="replace").decode()


def _shorten(value, bytes_max, items_max):
    if isinstance(value, str):
        return shortened(value, bytes_max)
    if isinstance(value, list):
        return [_shorten(item, bytes_max, items_max) for item in value[:items_max]]
    if isinstance(value, dict):
        return {shortened(name, 512): _shorten(member, bytes_max, items_max) for name, member in value.items()}
    return value
