// Adapts rule.js to the contract in wit/watchbell.wit: turns columns into rows and the state into
// bytes, and takes the snapshot where the window says. There is rarely a reason to change this file.
const UNITS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };

/** Milliseconds of a text such as `90s` or `1h30m`. */
export function duration(text) {
  let millis = 0;
  for (const [, digits, unit] of text.matchAll(/([0-9]+)(ms|[smhdw])/g)) millis += Number(digits) * UNITS[unit];
  return millis;
}

/** The text of so many milliseconds, in the largest unit that divides them. */
export function spelled(millis) {
  const [unit, size] = Object.entries(UNITS).filter(([unit, size]) => unit !== 'w' && millis % size === 0).at(-1);
  return `${millis / size}${unit}`;
}

/** One row of a page, valid during the call that it is handed to. */
class Row {
  constructor(page) {
    this.columns = new Map(page.columns.map((column) => [column.field, reader(column)]));
  }

  /** All values of a field, none where it is missing. */
  values(field) {
    return this.columns.get(field)?.(this.index) ?? [];
  }

  /** The first of them. */
  value(field) {
    return this.values(field)[0];
  }
}

/** The exports of the interface `rule`. */
export function exported(rule, log) {
  // Log what a rule throws: a trap has no message.
  const told = (work) => {
    try {
      return work();
    } catch (error) {
      if (error instanceof Error) {
        log(0, `${error.message}\n${error.stack ?? ''}`);
        throw { tag: 'other', val: error.message };
      }
      throw error;
    }
  };

  class Run {
    static start(params, key, state, window) {
      return told(() => {
        const run = new Run();
        run.params = rule.read(JSON.parse(params));
        run.key = key;
        run.window = { start: Number(window.start), settled: Number(window.settled), end: Number(window.end) };
        run.state = state === undefined ? rule.begin(run.params) : read(state);
        run.asked = false;
        run.signals = [];
        run.snapshot = undefined;
        run.known = new Map();
        return run;
      });
    }

    questions() {
      if (this.asked) return [];
      this.asked = true;
      const fields = [...new Set([...this.key, ...rule.fields(this.params)])];
      const over = { start: BigInt(this.window.start), end: BigInt(this.window.end) };
      return [{ over, only: [], filter: undefined, ask: { tag: 'hits', val: { fields, filters: [] } } }];
    }

    answer(_question, page) {
      told(() => {
        const row = new Row(page);
        const keys = this.key.map((field) => row.columns.get(field));
        for (let index = 0; index < page.times.length; index++) {
          row.index = index;
          row.time = Number(page.times[index]);
          if (row.time >= this.window.settled) this.take();
          for (const group of this.groups(keys.map((column) => column(index)))) {
            row.key = group.key;
            row.labels = group.labels;
            rule.row(this.params, this.state, row, this.signals);
          }
        }
      });
    }

    // A document with several values in a key field belongs to each of these groups, one without to a group of its
    // own. Most rows have one value that was seen before.
    groups(values) {
      if (values.length === 1 && values[0].length === 1) {
        let known = this.known.get(values[0][0]);
        if (known === undefined) this.known.set(values[0][0], (known = [group([String(values[0][0])])]));
        return known;
      }
      return combinations(values).map(group);
    }

    finish() {
      return told(() => {
        this.take();
        return { signals: this.signals.map((signal) => told_signal(signal, this.key)), state: this.snapshot };
      });
    }

    // The kept state is the fold of all rows before `settled`; later rows come again in the next run.
    take() {
      if (this.snapshot !== undefined) return;
      rule.settle(this.params, this.state, this.window.settled);
      this.snapshot = new TextEncoder().encode(JSON.stringify(this.state));
    }
  }

  return {
    describe: () => ({
      name: rule.name,
      version: rule.version,
      summary: rule.summary,
      paramsSchema: JSON.stringify(rule.paramsSchema),
      stateVersion: rule.stateVersion,
    }),
    prepare: (params, key) => {
      try {
        const plan = rule.plan(rule.read(JSON.parse(params)), key);
        return { history: BigInt(plan.history ?? 0), grid: BigInt(plan.grid ?? 0) };
      } catch (faults) {
        throw Array.isArray(faults) ? faults : [{ path: '', message: String(faults.message ?? faults) }];
      }
    },
    Run,
  };
}

function read(state) {
  try {
    return JSON.parse(new TextDecoder().decode(state));
  } catch (error) {
    throw { tag: 'state', val: error.message };
  }
}

/** A function from a row's number to its values of a column, an array. */
function reader({ values, present, offsets }) {
  const get = value_of(values);
  if (offsets.length > 0) {
    return (row) => Array.from({ length: offsets[row + 1] - offsets[row] }, (_, n) => get(offsets[row] + n));
  }
  const is_there = (row) => present.length === 0 || (present[row >> 3] >> (row & 7)) & 1;
  return (row) => (is_there(row) ? [get(row)] : []);
}

function value_of({ tag, val }) {
  switch (tag) {
    case 'integers':
      return (index) => Number(val[index]);
    case 'booleans':
      return (index) => val[index] === 1;
    case 'words': {
      const decoder = new TextDecoder();
      const words = Array.from(val.ends, (end, n) => decoder.decode(val.bytes.subarray(val.ends[n - 1] ?? 0, end)));
      return (index) => words[val.codes[index]];
    }
    default:
      return (index) => val[index];
  }
}

function combinations(columns) {
  const distinct = columns.map((values) => (values.length === 0 ? [undefined] : [...new Set(values.map(String))]));
  return distinct.reduce((done, values) => done.flatMap((labels) => values.map((value) => [...labels, value])), [[]]);
}

function group(labels) {
  return { labels, key: JSON.stringify(labels.map((label) => label ?? null)) };
}

function told_signal(signal, key) {
  return {
    labels: key.map((name, index) => ({ name, value: signal.labels[index] })),
    at: BigInt(signal.at),
    until: signal.until === undefined ? undefined : BigInt(signal.until),
    kind: signal.kind,
    value: signal.value,
    threshold: signal.threshold,
    summary: signal.summary,
    details: JSON.stringify(signal.details ?? {}),
    evidence: undefined,
  };
}
