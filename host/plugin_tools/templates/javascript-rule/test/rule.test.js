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
    { at: '10s', fields: { host: 'a' }, repeat: { count: 3, every: '20s' } },
    { at: '15s', fields: { host: 'b' }, repeat: { count: 2, every: '20s' } },
  ],
  expect: [{ at: '50s', until: '1m50s', kind: 'firing', labels: { host: 'a' }, summary: '3 events within 1m' }],
};

test('three within a minute are a burst, of one host alone', () => check(rule, burst));

test('events a minute apart stay quiet', () => {
  const documents = [{ at: '0s', fields: { host: 'a' }, repeat: { count: 9, every: '30s' } }];
  check(rule, { ...burst, documents, expect: [] });
});

test('a late document counts where it belongs', () => {
  const documents = [
    { at: '10s', fields: { host: 'a' }, arrives: '90s' },
    { at: '20s', fields: { host: 'a' }, repeat: { count: 2, every: '10s' } },
  ];
  check(rule, { ...burst, lateness: '2m', documents, expect: [{ at: '30s', labels: { host: 'a' } }] });
});

test('cutting time into windows and restarting change nothing', () => assertFold(rule, burst));

test('parameters are checked', () => {
  assert.deepEqual(prepare(rule, params, { key: ['host'] }), { history: 60_000n, grid: undefined });
  const faults = prepare(rule, { at_least: 3, within: '0s' });
  assert.deepEqual(faults, [{ path: '/within', message: 'must be longer than nothing' }]);
});
