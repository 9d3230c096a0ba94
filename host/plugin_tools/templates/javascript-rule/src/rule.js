// The rule itself: plain JavaScript without WebAssembly, so `npm test` runs it directly.
import { duration, spelled } from '../watchbell/rule.js';

export const rule = {
  name: 'plugin-name',
  version: '0.1.0',
  summary: 'Fires on a burst of events with the same key',
  // Increase it when the meaning of the state changes: the host then rebuilds the state from the past.
  stateVersion: 1,
  // Change it when the layout of the state changes: a state of another layout is never passed in.
  stateLayout: 'times by key',
  paramsSchema: {
    type: 'object',
    additionalProperties: false,
    required: ['at_least', 'within'],
    properties: {
      at_least: { description: 'How many events it takes.', type: 'integer', minimum: 1, maximum: 100000 },
      within: { description: 'Within how long, for example 5m.', type: 'string', pattern: '^([0-9]+(ms|[smhdw]))+$' },
    },
  },

  // Prepares the parameters for the functions below, once per run. They are valid by the schema.
  read(params) {
    return { atLeast: params.at_least, within: duration(params.within) };
  },

  // Checks the parameters. `history` is how much of the past the first run must read, in milliseconds.
  // Throws a list of faults, each with a JSON pointer into the parameters.
  plan({ within }) {
    if (within === 0) throw [{ path: '/within', message: 'must be longer than nothing' }];
    return { history: within };
  },

  // Any JSON object. It must be a fold over the rows and nothing else: the host splits time into windows
  // as it likes, and passes rows again when documents arrive late. Here: the times of the newest events per key.
  begin() {
    return {};
  },

  // Called for each row in order of time, once for each group that the document belongs to.
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
      evidence: { over: { start: times[0], end: row.time + 1 }, newest: 10 },
    });
  },

  // Drops from the state what rows after `at` no longer need.
  settle({ within }, state, at) {
    for (const key of Object.keys(state)) {
      state[key] = state[key].filter((time) => at - time < within);
      if (state[key].length === 0) delete state[key];
    }
  },
};
