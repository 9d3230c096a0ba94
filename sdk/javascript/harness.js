// Runs a rule in plain JavaScript over documents on a timeline, as the host would: in windows, with late documents and a
// restart between any two runs. Documents are written as in the cases of `watchbell plugin test`; `expect` is a list of all
// signals.
import assert from 'node:assert/strict';
import { answers, kept } from './harness/documents.js';
import { exported } from './rule.js';
import { forbid } from './sandbox.js';
import { duration, spelled } from './time.js';

/** The start of a case's timeline: 2024-01-01T00:00:00Z. */
export const ORIGIN = Date.UTC(2024, 0, 1);

const PAGE_ROWS = 1_000;

/** What a rule says of its parameters: its plan, or a list of faults. */
export function prepare(rule, params, context = {}) {
  try {
    return sandboxed(() => exported(rule, () => {}).prepare(JSON.stringify(params), full(context)));
  } catch (faults) {
    return faults;
  }
}

/** All signals that a rule reports for a case, in order of time, with the lines of its log. */
export function run(rule, given) {
  const timeline = new Timeline(rule, given);
  for (const end of timeline.ends()) timeline.advance(end);
  return { signals: timeline.reported.sort((one, next) => one.at - next.at), logs: timeline.logs };
}

/** Runs a case and compares what is reported with `expect`; members that are left out match anything. */
export function check(rule, given) {
  const { signals } = run(rule, given);
  const got = signals.filter((signal, index) => !isUpdate(signal, signals.slice(0, index), given.expect));
  assert.equal(got.length, given.expect.length, `${given.name}: got ${JSON.stringify(got.map(told))}`);
  given.expect.forEach((expected, index) => {
    const found = told(got[index]);
    for (const [name, value] of Object.entries(expected)) {
      const actual =
        name === 'details'
          ? Object.fromEntries(Object.keys(value).map((member) => [member, found.details[member]]))
          : found[name];
      const wanted = name === 'at' || name === 'until' ? spelled(duration(value)) : value;
      assert.deepEqual(actual, wanted, `${given.name}: signal ${index + 1}: ${name} of ${JSON.stringify(found)}`);
    }
  });
}

/** Asserts that cutting time differently, smaller pages, late documents and restarts change nothing that is reported. */
export function assertFold(rule, given) {
  const onTime = { ...given, documents: given.documents.map(({ arrives, ...document }) => document) };
  const whole = found(run(rule, { ...onTime, every: '0s', ends: [], lateness: '0s' }));
  const step = Number(prepare(rule, given.params, contextOf(given)).grid ?? 1_000n);
  for (const steps of [1, 2, 3, 7, 60]) {
    const every = spelled(Math.max(steps * step, 1_000));
    for (const [lateness, pageRows] of [
      ['0s', PAGE_ROWS],
      [spelled(2 * step), 1],
      [spelled(7 * step), 3],
    ]) {
      const cut = found(run(rule, { ...onTime, every, ends: [], lateness, page_rows: pageRows }));
      assert.deepEqual(
        cut,
        whole,
        `${given.name}: windows of ${every} with a lateness of ${lateness} and pages of ${pageRows} rows report something else`,
      );
    }
  }
  // A document that comes within the lateness counts as if it had come in time.
  const late = onTime.documents.map((document, index) =>
    index % 2 === 0 && document.count === undefined
      ? { ...document, arrives: spelled(duration(document.at) + 2 * step) }
      : document,
  );
  const caught = found(
    run(rule, {
      ...onTime,
      documents: late,
      every: spelled(Math.max(step, 1_000)),
      ends: [],
      lateness: spelled(Math.max(4 * step, 4_000)),
    }),
  );
  for (const signal of whole)
    assert.ok(caught.includes(signal), `${given.name}: with late documents, ${signal} is not reported`);
}

/** What of the signals must not depend on the windows; an open level that is only told again is left out. */
function found({ signals }) {
  return signals.map((signal) => JSON.stringify(told(signal)));
}

function told({ at, until, labels, kind, value, summary, details, evidence, identity }) {
  return {
    at: since(at),
    kind,
    labels,
    until: until === undefined ? undefined : since(until),
    value,
    summary,
    details,
    evidence,
    identity,
  };
}

function since(at) {
  return spelled(at - ORIGIN);
}

/** Whether a signal only updates an open level that it does not extend, and is not expected. */
function isUpdate(signal, before, expect) {
  if (signal.kind !== 'firing' || expect.some(({ at }) => ORIGIN + duration(at) === signal.at)) return false;
  const last = before.filter(({ key }) => key === signal.key).at(-1);
  return (
    last?.kind === 'firing' &&
    last.at < signal.at &&
    signal.at < (last.until ?? 0) &&
    (signal.until ?? 0) <= (last.until ?? 0)
  );
}

/** Calls a function without clock, randomness, timers and network, as the component would run it. */
function sandboxed(work) {
  const undo = forbid();
  try {
    return work();
  } catch (thrown) {
    // `assert` and the test runner need the clock again.
    throw thrown?.tag === undefined ? thrown : Object.assign(new Error(thrown.val), { problem: thrown.tag });
  } finally {
    undo();
  }
}

function full({ key = [], every, lateness = 0, indices = ['documents'] }) {
  return { key, every: every === undefined ? undefined : BigInt(every), lateness: BigInt(lateness), indices };
}

function contextOf({ key, every, lateness }) {
  return { key, every: duration(every ?? '1m') || undefined, lateness: duration(lateness ?? '0s') };
}

/** A rule on a virtual timeline: each window is a run of its own, from the state that the run before kept as bytes. */
class Timeline {
  constructor(rule, given) {
    this.given = given;
    this.logs = [];
    this.reported = [];
    this.known = new Set();
    this.exports = sandboxed(() => exported(rule, (level, line) => this.logs.push([level, line])));
    this.context = contextOf(given);
    this.documents = placed(given.documents);
    const { history, grid } = this.prepared();
    this.grid = grid === undefined ? undefined : Number(grid);
    this.cursor = ORIGIN + duration(given.from ?? '0s');
    this.settled = this.floor(this.cursor - Number(history));
    this.state = undefined;
    // The past primes the rule; what it finds there is not reported.
    if (this.settled < this.cursor) this.advance(this.cursor);
    this.reported = [];
  }

  prepared() {
    try {
      return sandboxed(() => this.exports.prepare(JSON.stringify(this.given.params), full(this.context)));
    } catch (faults) {
      throw Array.isArray(faults)
        ? new Error(faults.map(({ path, message }) => `${path} ${message}`.trim()).join('; '))
        : faults;
    }
  }

  floor(at) {
    return this.grid === undefined ? at : Math.floor(at / this.grid) * this.grid;
  }

  /** The ends of the windows. */
  ends() {
    const until = ORIGIN + duration(this.given.until ?? '10m');
    const every = duration(this.given.every ?? '1m');
    const ends = (this.given.ends ?? []).map((end) => ORIGIN + duration(end));
    if (ends.length === 0 && every > 0) for (let end = this.cursor + every; end < until; end += every) ends.push(end);
    return [...ends, until];
  }

  advance(end) {
    const settled = Math.max(this.settled, this.floor(end - this.context.lateness));
    const window = { start: BigInt(this.settled), settled: BigInt(settled), end: BigInt(end) };
    const seen = this.documents.filter(({ arrives }) => arrives <= end);
    const { finding, state } = sandboxed(() => this.evaluate(window, seen));
    for (const signal of finding.signals) this.report(signal, window);
    this.state = state;
    this.settled = settled;
    this.cursor = end;
  }

  evaluate(window, seen) {
    const { params, page_rows: pageRows = PAGE_ROWS } = this.given;
    const run = this.exports.Run.start({
      params: JSON.stringify(params),
      context: full(this.context),
      state: this.state,
      window,
    });
    let state;
    for (let rounds = 0; ; rounds++) {
      const round = run.questions();
      if (round === undefined) break;
      assert.ok(rounds < 4, 'at most 4 rounds may have questions');
      const rows = answers(round, this.context.key, this.given.matches ?? {}, seen);
      for (const [question, page] of round.isScouting
        ? rows.pages(pageRows)
        : rows.inOrder(pageRows, Number(window.settled))) {
        if (!round.isScouting && state === undefined && Number(page.times[0]) >= Number(window.settled))
          state = this.snapshot(run);
        run.answer(question, page);
      }
    }
    state ??= this.snapshot(run);
    return { finding: run.finish(), state };
  }

  snapshot(run) {
    const state = run.snapshot();
    // What JSON does not keep would be lost in a restart.
    assert.equal(kept(run.state), undefined, `the state is not what JSON keeps: ${kept(run.state)}`);
    return state;
  }

  /** Reports a signal that the host does not know yet. */
  report(signal, { start, end }) {
    assert.ok(
      signal.at >= start && signal.at <= end,
      `a signal at ${since(Number(signal.at))} is outside of its window`,
    );
    const { key } = this.context;
    const documents = signal.evidence?.tag === 'documents' ? signal.evidence.val : [];
    const identity = signal.kind === 'event' ? (signal.identity ?? documents[0]?.id ?? '') : '';
    const name = JSON.stringify([signal.kind, signal.labels, String(signal.at), identity]);
    if (this.known.has(name)) return;
    this.known.add(name);
    const numbers = { at: Number(signal.at), until: signal.until === undefined ? undefined : Number(signal.until) };
    const labels = Object.fromEntries(key.map((field, index) => [field, signal.labels[index] ?? null]));
    const evidence = JSON.parse(
      JSON.stringify(signal.evidence ?? null, (_, value) => (typeof value === 'bigint' ? Number(value) : value)),
    );
    this.reported.push({
      ...signal,
      ...numbers,
      labels,
      key: JSON.stringify(signal.labels),
      details: JSON.parse(signal.details),
      evidence,
    });
  }
}

/** The documents with their times, in order, each repetition on its own. */
function placed(documents) {
  const all = documents.flatMap(({ at, arrives, fields = {}, every = '0s', count = 1 }) =>
    Array.from({ length: count }, (_, n) => {
      const time = ORIGIN + duration(at) + n * duration(every);
      return { time, arrives: n === 0 && arrives !== undefined ? ORIGIN + duration(arrives) : time, fields };
    }),
  );
  return all
    .map((document, n) => ({
      ...document,
      fields: { _index: 'documents', _id: String(n).padStart(8, '0'), ...document.fields },
    }))
    .sort((one, next) => one.time - next.time);
}
