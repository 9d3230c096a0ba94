// A rule's signals, checked where they are pushed, and their texts cut to the host's limits: one long value must not
// prevent the alert.
import { log } from './log.js';
import { anyOf, query, range } from './questions.js';
import { instant, shown } from './time.js';

const SUMMARY_BYTES_MAX = 2 << 10;
const DETAILS_BYTES_MAX = 64 << 10;
const IDENTITY_BYTES_MAX = 4_096;
const NAME_BYTES_MAX = 512;
const INSTANT_SIGNALS_MAX = 10_000;
const INSTANT_BYTES_MAX = 3 << 20;
const DOCUMENTS_MAX = 10;
const MEMBERS = new Set([
  'kind',
  'labels',
  'at',
  'until',
  'identity',
  'value',
  'threshold',
  'summary',
  'details',
  'evidence',
]);
const KINDS = ['firing', 'clear', 'event'];
const encoder = new TextEncoder();

/** What a rule found. */
export class Signals {
  constructor(key) {
    this.key = key;
    this.found = [];
  }

  get length() {
    return this.found.length;
  }

  /** Adds signals. Throws where a member is missing, unknown or wrong. */
  push(...signals) {
    for (const signal of signals) this.found.push(wired(signal, this.key));
  }

  /** The signals; of one instant at most as many as a run may return. A longer window is for the host to halve. */
  taken() {
    const [first] = this.found;
    if (this.found.length < 2 || this.found.some(({ at }) => at !== first.at)) return this.found;
    let bytes = 0;
    const kept = this.found.findIndex(
      (signal, index) => (bytes += size(signal)) > INSTANT_BYTES_MAX || index >= INSTANT_SIGNALS_MAX,
    );
    if (kept === -1) return this.found;
    log.warn(`${this.found.length} signals at ${instant(Number(first.at))}: only the first ${kept} are reported`);
    return this.found.slice(0, kept);
  }
}

function size({ labels, summary, details, evidence }) {
  const shared = labels.reduce((sum, label) => sum + 6 * (label?.length ?? 0), 0);
  return 128 + shared + 3 * (summary.length + details.length) + (evidence === undefined ? 0 : 200);
}

function wired(signal, key) {
  if (typeof signal !== 'object' || signal === null)
    throw new Error(`a signal must be an object, not ${shown(signal)}`);
  for (const member in signal) {
    if (!MEMBERS.has(member))
      throw new Error(`a signal has no member \`${member}\`: there are ${[...MEMBERS].join(', ')}`);
  }
  const { kind, labels, at, until } = signal;
  if (!KINDS.includes(kind)) throw new Error(`a signal's \`kind\` must be firing, clear or event, not ${shown(kind)}`);
  if (!Array.isArray(labels) || labels.length !== key.length) {
    const wanted =
      key.length === 0 ? 'an empty list' : `a list with a value for ${key.map((name) => `\`${name}\``).join(', ')}`;
    throw new Error(`a signal's \`labels\` must be ${wanted}, as \`row.labels\` is, not ${shown(labels)}`);
  }
  if (!Number.isSafeInteger(at))
    throw new Error(`a signal's \`at\` must be whole milliseconds, as \`row.time\` is, not ${shown(at)}`);
  if (until !== undefined && !(Number.isSafeInteger(until) && until >= at)) {
    throw new Error(`a signal's \`until\` must be whole milliseconds, not before \`at\`, not ${shown(until)}`);
  }
  return {
    labels: labels.map(label),
    at: BigInt(at),
    kind,
    until: until === undefined ? undefined : BigInt(until),
    identity: signal.identity === undefined ? undefined : cut(textual(signal.identity, 'identity'), IDENTITY_BYTES_MAX),
    value: finite(signal.value, 'value'),
    threshold: finite(signal.threshold, 'threshold'),
    summary: cut(textual(signal.summary ?? '', 'summary'), SUMMARY_BYTES_MAX),
    details: signal.details === undefined ? '{}' : bounded(signal.details),
    evidence: signal.evidence === undefined ? undefined : evidence(signal.evidence),
  };
}

function label(value) {
  if (value === undefined || value === null) return undefined;
  if (typeof value !== 'string')
    throw new Error(`a label must be text, or undefined where the field is missing, not ${shown(value)}`);
  return value;
}

function textual(value, member) {
  if (typeof value !== 'string') throw new Error(`a signal's \`${member}\` must be text, not ${shown(value)}`);
  return value;
}

/** Only finite numbers are kept. */
function finite(value, member) {
  if (value === undefined || value === null) return undefined;
  const number = typeof value === 'bigint' ? Number(value) : value;
  if (typeof number !== 'number') throw new Error(`a signal's \`${member}\` must be a number, not ${shown(value)}`);
  return Number.isFinite(number) ? number : undefined;
}

function evidence(given) {
  if (Array.isArray(given?.documents)) {
    const document = ({ at, index, id }) => {
      if (typeof id !== 'string')
        throw new Error(
          `a document of evidence needs its \`id\` as text, not ${shown(id)}: ask for it with \`.identified()\``,
        );
      return { at: range({ start: at, end: at }, "the time of a document's evidence").start, index, id };
    };
    return { tag: 'documents', val: given.documents.slice(0, DOCUMENTS_MAX).map(document) };
  }
  if (given?.over !== undefined) {
    const only = Object.entries(given.only ?? {}).map(([field, values]) => anyOf(field, values));
    const filter = given.filter === undefined ? undefined : query(given.filter);
    const newest = Math.min(Math.max(Math.trunc(given.newest ?? 0), 0), DOCUMENTS_MAX);
    return { tag: 'selection', val: { over: range(given.over, "evidence's `over`"), only, filter, newest } };
  }
  throw new Error(
    `evidence must be \`row.evidence()\`, or { over: { start, end }, only, filter, newest }, not ${shown(given)}`,
  );
}

/** The beginning of a text and an ellipsis, in at most so many bytes; the whole text if it fits. */
export function cut(text, bytesMax) {
  // No character takes more than 3 bytes for each of its UTF-16 units.
  if (text.length * 3 <= bytesMax) return text;
  const bytes = encoder.encode(text);
  if (bytes.length <= bytesMax) return text;
  let end = bytesMax - 3;
  while (end > 0 && (bytes[end] & 0xc0) === 0x80) end -= 1;
  return `${new TextDecoder().decode(bytes.subarray(0, end))}…`;
}

/** A JSON object as text, whose longest strings and lists are shortened until it fits. */
export function bounded(details) {
  if (typeof details !== 'object' || details === null || Array.isArray(details)) {
    throw new Error(`a signal's \`details\` must be an object, not ${shown(details)}`);
  }
  const text = json(details);
  if (!exceeds(text)) return text;
  const whole = JSON.parse(text);
  // Each round keeps less; strings are shortened before lists.
  for (const [bytesMax, itemsMax] of [
    [16 << 10, 256],
    [4 << 10, 64],
    [1 << 10, 32],
    [256, 16],
    [64, 4],
    [16, 1],
  ]) {
    const shorter = JSON.stringify(shorten(whole, bytesMax, itemsMax));
    if (!exceeds(shorter)) return shorter;
  }
  log.warn(`details of ${text.length} characters are dropped`);
  return '{}';
}

function exceeds(text) {
  return (
    text.length > DETAILS_BYTES_MAX ||
    (text.length * 3 > DETAILS_BYTES_MAX && encoder.encode(text).length > DETAILS_BYTES_MAX)
  );
}

/** JSON has no integers beyond 2^53: they become text. The function is for these alone, as it costs a call per member. */
function json(details) {
  try {
    return JSON.stringify(details);
  } catch {
    return JSON.stringify(details, (_name, value) => (typeof value === 'bigint' ? String(value) : value));
  }
}

function shorten(json, bytesMax, itemsMax) {
  if (typeof json === 'string') return cut(json, bytesMax);
  if (Array.isArray(json)) return json.slice(0, itemsMax).map((item) => shorten(item, bytesMax, itemsMax));
  if (typeof json !== 'object' || json === null) return json;
  return Object.fromEntries(
    Object.entries(json).map(([name, member]) => [cut(name, NAME_BYTES_MAX), shorten(member, bytesMax, itemsMax)]),
  );
}
