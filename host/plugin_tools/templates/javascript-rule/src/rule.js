// The rule itself: plain JavaScript that knows nothing of WebAssembly, so `npm test` runs it as it is.
import { duration, spelled } from './contract.js';

export const rule = {
  name: 'plugin-name',
  version: '0.1.0',
  summary: 'Fires when events of a key come in a burst',
  // Raise it when the layout of the state changes: the host then builds the state anew from the past.
  stateVersion: 1,
  paramsSchema: {
    type: 'object',
    additionalProperties: false,
    required: ['at_least', 'within'],
    properties: {
      at_least: { description: 'How many events it takes.', type: 'integer', minimum: 1, maximum: 100000 },
      within: { description: 'Within how long, for example 5m.', type: 'string', pattern: '^([0-9]+(ms|s|m|h|d|w))+$' },
    },
  },

  // The parameters as the functions below take them, once per run: they are valid by the schema.
  read(params) {
    return { atLeast: params.at_least, within: duration(params.within) };
  },

  // Checks the parameters against the key. `history` is how much of the past a first run must read, in
  // milliseconds. What is wrong is thrown as a list of faults, each with a JSON pointer into the parameters.
  plan({ within }) {
    if (within === 0) throw [{ path: '/within', message: 'must be longer than nothing' }];
    return { history: within };
  },

  // The columns to read beside the key fields.
  fields() {
    return [];
  },

  // Something that JSON can hold. It must be a fold of the rows and of nothing else: the host cuts time into windows
  // as it likes, and hands in rows again where documents came late. Here: the times of the newest events per key.
  begin() {
    return {};
  },

  // Called for each row in order of time, once for each key that the row belongs to.
  row({ atLeast, within }, state, row, signals) {
    const times = (state[row.key] ??= []);
    while (times.length > 0 && row.time - times[0] >= within) times.shift();
    times.push(row.time);
    if (times.length < atLeast) return;
    signals.push({
      kind: 'firing',
      labels: row.labels,
      at: row.time,
      until: row.time + within,
      value: times.length,
      threshold: atLeast,
      summary: `${times.length} events within ${spelled(within)}`,
      details: { count: times.length },
    });
  },

  // Drops from the state what no row after `at` can need.
  settle({ within }, state, at) {
    for (const key of Object.keys(state)) {
      state[key] = state[key].filter((time) => at - time < within);
      if (state[key].length === 0) delete state[key];
    }
  },
};
