import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertFold, check, prepare, run } from '../watchbell/harness.js';
import { rule } from '../src/rule.js';

const KEY = ['source.ip', 'destination.ip'];
const [SCANNER, CLIENT, SERVER] = ['203.0.113.9', '198.51.100.4', '192.0.2.1'];
const params = { ports: 5, within: '1m' };

/** Connections from one source to ports of the server, `apart` seconds after one another. */
function connections(source, ports, at, apart) {
  return ports.map((port, n) => ({
    at: `${at + n * apart}s`,
    fields: { source: { ip: source }, destination: { ip: SERVER, port } },
  }));
}

function given(documents, expect = [], more = {}) {
  return { name: 'port scan', params, key: KEY, until: '6m', documents, expect, ...more };
}

const scan = connections(SCANNER, [21, 22, 23, 25, 80, 443], 10, 5);
const labels = { 'source.ip': SCANNER, 'destination.ip': SERVER };

test('five ports within a minute are a scan, which ends a minute later', () => {
  check(
    rule,
    given(scan, [
      {
        at: '30s',
        until: '1m30s',
        kind: 'firing',
        labels,
        value: 5,
        summary: '5 ports within 1m',
        details: { ports: 5 },
      },
    ]),
  );
});

test('the same port again and again is none', () => {
  check(rule, given(connections(CLIENT, Array(50).fill(443), 10, 1)));
});

test('ports too far apart are none', () => check(rule, given(connections(SCANNER, [21, 22, 23, 25, 80, 443], 10, 16))));

test('two sources are counted apart', () => {
  check(rule, given([...connections(SCANNER, [21, 22, 23], 10, 1), ...connections(CLIENT, [25, 80, 443], 10, 1)]));
});

test('documents without a port count for nothing', () => {
  check(
    rule,
    given([...scan.slice(0, 4), { at: '31s', fields: { source: { ip: SCANNER }, destination: { ip: SERVER } } }]),
  );
});

test('a late document completes a scan', () => {
  const late = scan.slice(0, 5).map((document, n) => (n === 1 ? { ...document, arrives: '100s' } : document));
  check(rule, given(late, [{ at: '30s', labels }], { lateness: '2m' }));
  check(rule, given(late, [], { lateness: '0s' }));
});

test('a long scan is told again before its level ends, and not for every packet', () => {
  const documents = connections(
    SCANNER,
    Array.from({ length: 120 }, (_, n) => n + 1),
    0,
    1,
  );
  const { signals } = run(rule, given(documents));
  assert.ok(signals.length >= 2 && signals.length <= 21, `${signals.length} signals`);
  signals.slice(1).forEach((signal, n) => assert.ok(signal.at < signals[n].until, 'the level has no gap'));
  assert.equal(signals.at(-1).value, 60);
});

test('ports are counted up to a bound, and the newest kept', () => {
  const documents = Array.from({ length: 3_000 }, (_, n) => ({
    at: `${10_000 + n}ms`,
    fields: { source: { ip: SCANNER }, destination: { ip: SERVER, port: n + 1 } },
  }));
  const { signals } = run(rule, given(documents, [], { params: { ports: 1_024, within: '10s' } }));
  assert.equal(signals[0].summary, '1024 or more ports within 10s');
  assertFold(rule, given(documents, [], { params: { ports: 1_024, within: '10s' }, until: '14s' }));
});

test('cutting time into windows and restarting change nothing', () => {
  const long = connections(
    SCANNER,
    Array.from({ length: 90 }, (_, n) => (n * 7) % 31),
    0,
    2,
  );
  assertFold(rule, given([...scan, ...long, ...connections(CLIENT, [80, 443, 80, 443], 5, 40)]));
});

test('parameters are checked', () => {
  assert.deepEqual(prepare(rule, params, { key: KEY }), { history: 120_000n, grid: undefined });
  assert.match(prepare(rule, params, {})[0].message, /needs a key/);
  assert.equal(prepare(rule, { ...params, within: '0s' }, { key: KEY })[0].path, '/within');
});
