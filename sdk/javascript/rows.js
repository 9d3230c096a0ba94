// Pages of columns as rows. Whatever is done for each row is kept cheap: the engine interprets.
import { shown } from './time.js';

const HIGH = 4_294_967_296;

/** The groups seen in this run, by their labels: their objects are made once. */
export class Groups {
  constructor() {
    this.byWord = new Map();
    this.all = group([]);
  }

  /** The groups of a page, each made when its first row comes. */
  page(labels) {
    const columns = labels.map((column) => reader(column));
    if (columns.length !== 1) return (number) => group(columns.map((column) => column.value(number)));
    const [only] = columns;
    return (number) => {
      const word = only.value(number);
      let found = this.byWord.get(word);
      if (found === undefined) this.byWord.set(word, (found = group([word])));
      return found;
    };
  }
}

function group(labels) {
  return { labels, key: JSON.stringify(labels.map((label) => label ?? null)) };
}

/** The labels of a group's `key`; undefined where the field is missing. */
export function labelsOf(key) {
  return JSON.parse(key).map((label) => label ?? undefined);
}

/** A row of a page. The same object stands for all rows of the page: copy what is to be kept. */
export class Row {
  constructor(page, question) {
    /** The number of the question of the round that it answers. */
    this.question = question;
    /** Milliseconds since 1970-01-01T00:00:00Z. */
    this.time = 0;
    /** A text that stands for the row's group. */
    this.key = '';
    /** The values of the key fields, in the manifest's order; undefined where the field is missing. */
    this.labels = [];
    this.index = 0;
    this.columns = Object.create(null);
    for (const column of page.columns) this.columns[column.field] = reader(column);
  }

  /** The first value of a field: a number, a text, a boolean or a point; undefined where it is missing. An integer beyond 2^53 is a BigInt. */
  value(field) {
    return (this.columns[field] ?? this.unasked(field)).value(this.index);
  }

  /** All values of a field; none where it is missing. */
  values(field) {
    return (this.columns[field] ?? this.unasked(field)).values(this.index);
  }

  /** A place: `{ latitude, longitude }` in degrees; undefined where it is missing. */
  point(field) {
    const found = this.value(field);
    if (found !== undefined && typeof found !== 'object')
      throw new Error(`\`${field}\` is no place: its values are like ${shown(found)}`);
    return found;
  }

  /** Whether a mapping of the searched indices defines the field. */
  isMapped(field) {
    return (this.columns[field] ?? this.unasked(field)).isMapped;
  }

  /** Evidence that names this row's document. The question must be `identified()`. */
  evidence() {
    return { documents: [{ at: this.time, index: this.value('_index'), id: this.value('_id') }] };
  }

  unasked(field) {
    const asked = Object.keys(this.columns);
    const list = asked.length === 0 ? 'it names no field' : `it names ${asked.map((name) => `\`${name}\``).join(', ')}`;
    throw new Error(
      `\`${field}\` was not asked for: add it to the question with \`.field('${field}')\` or to \`fields\`; ${list}`,
    );
  }
}

/**
 * Times without a BigInt for each: the time of row `i` is `base + parts[i * step]`. They are in order, and a page rarely crosses
 * one of the borders, 49 days apart, at which the upper halves change.
 */
export function timesOf(times) {
  const halves = new Uint32Array(times.buffer, times.byteOffset, times.length * 2);
  const upper = new Int32Array(times.buffer, times.byteOffset, times.length * 2);
  const isOne = times.length > 0 && upper[1] === upper[2 * times.length - 1];
  if (isOne) return { base: upper[1] * HIGH, parts: halves, step: 2 };
  return { base: 0, parts: Float64Array.from(times, Number), step: 1 };
}

/** Functions from a row's number to its first value and to all of them. */
function reader({ field, isMapped, values, present, offsets }) {
  const get = getter(values);
  if (offsets.length > 0) {
    const all = (row) => {
      const found = [];
      for (let slot = offsets[row]; slot < offsets[row + 1]; slot++) found.push(get(slot));
      return found;
    };
    return {
      field,
      isMapped,
      value: (row) => (offsets[row] < offsets[row + 1] ? get(offsets[row]) : undefined),
      values: all,
    };
  }
  if (present.length === 0) return { field, isMapped, value: get, values: (row) => [get(row)] };
  const has = (row) => (present[row >> 3] >> (row & 7)) & 1;
  return {
    field,
    isMapped,
    value: (row) => (has(row) ? get(row) : undefined),
    values: (row) => (has(row) ? [get(row)] : []),
  };
}

function getter({ tag, val }) {
  switch (tag) {
    case 'integers':
      return integers(val);
    case 'booleans':
      return (slot) => val[slot] === 1;
    case 'words':
      return words(val);
    case 'points':
      return (slot) => ({ latitude: val.latitudes[slot], longitude: val.longitudes[slot] });
    default:
      return (slot) => val[slot];
  }
}

function integers(val) {
  const halves = new Int32Array(val.buffer, val.byteOffset, val.length * 2);
  return (slot) => {
    const number = halves[2 * slot + 1] * HIGH + (halves[2 * slot] >>> 0);
    return Number.isSafeInteger(number) ? number : val[slot];
  };
}

/** Words are decoded at once where they are ASCII: a call of the decoder for each costs more than the rest of a row. */
function words({ codes, ends, bytes }) {
  const decoder = new TextDecoder();
  const whole = decoder.decode(bytes);
  const isAscii = whole.length === bytes.length;
  const known = new Array(ends.length);
  const word = (code) => {
    const start = code === 0 ? 0 : ends[code - 1];
    return isAscii ? whole.slice(start, ends[code]) : decoder.decode(bytes.subarray(start, ends[code]));
  };
  return (slot) => {
    const code = codes[slot];
    return known[code] ?? (known[code] = word(code));
  };
}
