// What a rule asks. The manifest's index, filter and key apply as well: the host adds them.
import { millis, shown } from './time.js';

const CALCS = { minimum: 0, maximum: 0, average: 0, sum: 0, 'value-count': 0, cardinality: 0 };
const VIEWS = ['health', 'unassigned-shards', 'pending-tasks', 'disks', 'gate'];

/** Documents of `over`, a row each. */
export function hits(over) {
  return new Question(over, 'hits', { fields: [], filters: [] });
}

/** Counts of `over` per group and per `every` (milliseconds or text; none: one bucket), a row each, with `_count`. */
export function buckets(over, every) {
  const interval = every === undefined ? undefined : millis(every, "a bucket's `every`", 1);
  return new Question(over, 'buckets', { by: [], every: interval, metrics: [], filters: [] });
}

/** A search as its author wrote it, an object or JSON text. `picks` are columns: names with JSON pointers into the response. */
export function search(over, body, picks) {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  return new Question(over, 'search', {
    body: text,
    picks: Object.entries(picks).map(([name, pointer]) => ({ name, pointer })),
  });
}

/** A view of the cluster's own state: health, unassigned-shards, pending-tasks, disks or gate. */
export function cluster(over, view) {
  if (!VIEWS.includes(view)) throw new Error(`${shown(view)} is no view of the cluster: there are ${VIEWS.join(', ')}`);
  return new Question(over, 'cluster', view);
}

/** A condition: Lucene text, or an Elasticsearch query as an object. */
export function query(given) {
  if (typeof given === 'string') return { tag: 'lucene', val: given };
  if (typeof given === 'object' && given !== null) return { tag: 'dsl', val: JSON.stringify(given) };
  throw new Error(`a filter must be a Lucene query string or an Elasticsearch query as an object, not ${shown(given)}`);
}

/** One condition of `only`, checked; null and undefined stand for documents without the field. */
export function anyOf(field, values) {
  if (!Array.isArray(values)) throw new Error(`the values of \`${field}\` must be a list, not ${shown(values)}`);
  return { field, values: values.map((value) => (value === null || value === undefined ? undefined : String(value))) };
}

/** A range with checked instants. */
export function range(over, name) {
  const isOne = Number.isSafeInteger(over?.start) && Number.isSafeInteger(over?.end) && over.start <= over.end;
  if (!isOne) throw new Error(`${name} must be { start, end } in milliseconds with start <= end, not ${shown(over)}`);
  return { start: BigInt(over.start), end: BigInt(over.end) };
}

export class Question {
  constructor(over, tag, ask) {
    range(over, "a question's `over`");
    this.over = over;
    this.tag = tag;
    this.ask = ask;
    this.conditions = [];
  }

  /** Adds a field: a column of hits, or a group per value of buckets. */
  field(name) {
    if (typeof name !== 'string' || name === '') throw new Error(`a field is named by text, not by ${shown(name)}`);
    (this.need('field', ['hits', 'buckets']).fields ?? this.ask.by).push(name);
    return this;
  }

  /** Adds the mapped type of a field in each document's index, a column `_type:FIELD`. */
  typeOf(field) {
    this.need('typeOf', ['hits']);
    return this.field(`_type:${field}`);
  }

  /** Adds `_index` and `_id`, which `row.evidence()` needs and by which the host knows a document again. */
  identified() {
    this.need('identified', ['hits']);
    return this.field('_index').field('_id');
  }

  /** Adds a column: whether a document matches, or how many of a bucket's documents do. */
  namedFilter(name, condition) {
    this.need('namedFilter', ['hits', 'buckets']).filters.push({ name, query: query(condition) });
    return this;
  }

  /** Adds a number for each bucket, a column `name`. `calc` is minimum, maximum, average, sum, value-count, cardinality, or { percentile: 95 }. */
  metric(name, source, calc, condition) {
    const found = this.need('metric', ['buckets']);
    if ((source?.field === undefined) === (source?.script === undefined)) {
      throw new Error(
        `the source of metric \`${name}\` must be { field: 'NAME' } or { script: 'PAINLESS' }, not ${shown(source)}`,
      );
    }
    const from =
      source.field === undefined ? { tag: 'script', val: source.script } : { tag: 'field', val: source.field };
    const filter = condition === undefined ? undefined : query(condition);
    found.metrics.push({ name, source: from, calc: calculation(name, calc), filter });
    return this;
  }

  /** Keeps documents that match; replaces an earlier filter. */
  filter(condition) {
    this.condition = query(condition);
    return this;
  }

  /** Keeps documents whose field has one of the values; several calls are combined with AND. */
  only(field, values) {
    this.conditions.push(anyOf(field, values));
    return this;
  }

  need(method, tags) {
    if (!tags.includes(this.tag))
      throw new Error(`\`.${method}()\` is for ${tags.join(' and ')}, not for a question of kind ${this.tag}`);
    return this.ask;
  }

  /** The question in the contract's words. */
  wire() {
    const ask =
      this.tag === 'buckets'
        ? { ...this.ask, every: this.ask.every === undefined ? undefined : BigInt(this.ask.every) }
        : this.ask;
    return {
      over: range(this.over, "a question's `over`"),
      only: this.conditions,
      filter: this.condition,
      ask: { tag: this.tag, val: ask },
    };
  }
}

function calculation(name, calc) {
  if (typeof calc === 'string' && calc in CALCS) return { tag: calc };
  const percent = calc?.percentile;
  if (typeof percent === 'number' && percent >= 0 && percent <= 100) return { tag: 'percentile', val: percent };
  throw new Error(
    `the calc of metric \`${name}\` must be ${Object.keys(CALCS).join(', ')} or { percentile: 0 to 100 }, not ${shown(calc)}`,
  );
}
