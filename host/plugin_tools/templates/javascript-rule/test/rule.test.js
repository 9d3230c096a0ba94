// The rule as it is, without WebAssembly. `watchbell plugin test` also runs the cases through the component.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertFold, check, prepare } from '../watchbell/harness.js';
import { rule } from '../src/rule.js';

const params = { at_least: 3, within: '1m' };
const burst = {
  name: 'three within a minute, of one host alone',
  params,
  key: ['host'],
  until: '4m',
  documents: [
    { at: '10s', fields: { host: 'a' }, every: '20s', count: 3 },
    { at: '15s', fields: { host: 'b' }, every: '20s', count: 2 },
  ],
  expect: [{ at: '50s', until: '1m50s', kind: 'firing', labels: { host: 'a' }, summary: '3 events within 1m' }],
};

test('three within a minute are a burst, of one host alone', () => check(rule, burst));

test('events a minute apart stay quiet', () => {
  const documents = [{ at: '0s', fields: { host: 'a' }, every: '30s', count: 9 }];
  check(rule, { ...burst, documents, expect: [] });
});

test('a late document counts where it belongs', () => {
  const documents = [
    { at: '10s', fields: { host: 'a' }, arrives: '90s' },
    { at: '20s', fields: { host: 'a' }, every: '10s', count: 2 },
  ];
  check(rule, { ...burst, lateness: '2m', documents, expect: [{ at: '30s', labels: { host: 'a' } }] });
});

test('cutting time into windows and restarting change nothing', () => assertFold(rule, burst));

test('parameters are checked', () => {
  assert.deepEqual(prepare(rule, params, { key: ['host'] }), { history: 60_000n, grid: undefined });
  const faults = prepare(rule, { at_least: 3, within: '0s' });
  assert.deepEqual(faults, [{ path: '/within', message: 'must be longer than nothing' }]);
});
