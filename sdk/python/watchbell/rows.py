"""Rows, as a rule reads them."""
from json.encoder import encode_basestring

from .signals import Document


class NoColumn(Exception):
    """A rule reads a field that it did not ask for."""


class Column:
    """The values of one field on a page: `first` of each row, None where it has none; `all` if rows have several."""

    __slots__ = ("is_mapped", "first", "all")

    def __init__(self, first, all=None, is_mapped=True):
        self.first = first
        self.all = all
        self.is_mapped = is_mapped


class Page:
    """One page of an answer. `groups` holds the group of each row, or nothing if all belong to one without labels."""

    def __init__(self, question, times, columns, groups=(), labels=((),)):
        self.question = question
        self.times = times
        self.columns = columns
        self.groups = groups
        self.labels = labels
        keys = [_key(values) for values in labels]
        # The key of each row.
        self.keys = [keys[group] for group in groups] if groups else keys * len(times)


def _key(labels):
    """The labels as JSON, faster than `json.dumps`."""
    return f"[{', '.join('null' if label is None else encode_basestring(label) for label in labels)}]"


class Row:
    """A document, a bucket, or a row of another answer, for one of its groups."""

    __slots__ = ("_page", "_index", "time")

    def __init__(self, page, index, time):
        self._page = page
        self._index = index
        # The document's time or the bucket's start, in milliseconds.
        self.time = time

    @property
    def key(self) -> str:
        """The group that the row belongs to, as a text that can be a key of the state."""
        return self._page.keys[self._index]

    @property
    def labels(self) -> list[str | None]:
        """The values of the key fields, for a signal; None where the field is missing."""
        page = self._page
        return list(page.labels[page.groups[self._index]] if page.groups else page.labels[0])

    @property
    def question(self) -> int:
        """The number of the question that the row answers, counted from 0 within the round."""
        return self._page.question

    def __getitem__(self, field):
        """The first value of a field that was asked for; None if the row has none."""
        try:
            return self._page.columns[field].first[self._index]
        except KeyError:
            raise NoColumn(f"no column `{field}`: ask for the field in `questions`") from None

    def values(self, field) -> list:
        """All values of a field that was asked for."""
        column = self._column(field)
        if column.all is not None:
            return column.all[self._index]
        value = column.first[self._index]
        return [] if value is None else [value]

    def is_mapped(self, field) -> bool:
        """Whether a mapping of the searched indices defines the field. If not, no document can have a value."""
        return self._column(field).is_mapped

    def type_of(self, field) -> str | None:
        """The mapped type of a field in the row's index; the question must have asked for it (`types`)."""
        return self[f"_type:{field}"]

    def document(self) -> Document:
        """The row's document, as evidence; the question must be `identified`."""
        return Document(self.time, self["_id"] or "", self["_index"])

    def _column(self, field):
        try:
            return self._page.columns[field]
        except KeyError:
            raise NoColumn(f"no column `{field}`: ask for the field in `questions`") from None
