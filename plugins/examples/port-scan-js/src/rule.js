// A port scan: one source touches many different ports of one destination within a short time.
import { duration, spelled } from '../watchbell/rule.js';

/** Ports are counted exactly up to so many per pair of addresses. */
const PORTS_MAX = 1_024;
/** With so many, the state drops all but the newest `PORTS_MAX`. */
const KEPT_MAX = 2 * PORTS_MAX;

export const rule = {
  name: 'port-scan',
  version: '0.1.0',
  summary: 'Fires while one source touches many ports of one destination',
  stateVersion: 1,
  stateLayout: 'by key: ports with their newest times, count, until',
  paramsSchema: {
    type: 'object',
    additionalProperties: false,
    required: ['ports', 'within'],
    properties: {
      ports: { description: 'How many different ports it takes.', type: 'integer', minimum: 2, maximum: PORTS_MAX },
      within: { description: 'Within how long, for example 1m.', type: 'string', pattern: '^([0-9]+(ms|[smhdw]))+$' },
      field: { description: 'The field of the port.', type: 'string', minLength: 1, default: 'destination.port' },
    },
  },

  read({ ports, within, field = 'destination.port' }) {
    return { atLeast: ports, within: duration(within), field };
  },

  // Ports further apart than `within` are never counted together: that much of the past is enough.
  plan({ within }, { key }) {
    const faults = [];
    if (within === 0) faults.push({ path: '/within', message: 'must be longer than nothing' });
    if (key.length === 0)
      faults.push({
        path: '',
        message: 'needs a key, such as `key: [source.ip, destination.ip]`: otherwise all hosts together are one scan',
      });
    if (faults.length > 0) throw faults;
    return { history: 2 * within };
  },

  fields({ field }) {
    return [field];
  },

  begin() {
    return {};
  },

  row({ atLeast, within, field }, state, row, signals) {
    const port = row.value(field);
    if (port === undefined) return;
    const seen = (state[row.key] ??= { ports: {}, count: 0, until: 0 });
    touch(seen, String(port), row.time);
    // The level is told again when a tenth of its time has passed, not for every packet.
    if (seen.count < atLeast || row.time + within < seen.until + within / 10) return;
    forget(seen, row.time - within);
    if (seen.count < atLeast) return;
    seen.until = row.time + within;
    const count = Math.min(seen.count, PORTS_MAX);
    signals.push({
      kind: 'firing',
      labels: row.labels,
      at: row.time,
      until: seen.until,
      value: count,
      threshold: atLeast,
      summary: `${count}${count === PORTS_MAX ? ' or more' : ''} ports within ${spelled(within)}`,
      details: { ports: count },
      evidence: { over: { start: row.time - within + 1, end: row.time + 1 }, newest: 10 },
    });
  },

  settle({ within }, state, at) {
    for (const [key, seen] of Object.entries(state)) {
      forget(seen, at - within);
      if (seen.count === 0) delete state[key];
    }
  },
};

function touch(seen, port, time) {
  if (!Object.hasOwn(seen.ports, port)) {
    if (seen.count === KEPT_MAX) keepNewest(seen);
    seen.count += 1;
  }
  seen.ports[port] = time;
}

/** Drops ports that were last touched at `until` or before. */
function forget(seen, until) {
  for (const [port, time] of Object.entries(seen.ports)) {
    if (time > until) continue;
    delete seen.ports[port];
    seen.count -= 1;
  }
}

function keepNewest(seen) {
  const newest = Object.entries(seen.ports)
    .sort((one, next) => next[1] - one[1])
    .slice(0, PORTS_MAX);
  seen.ports = Object.fromEntries(newest);
  seen.count = newest.length;
}
