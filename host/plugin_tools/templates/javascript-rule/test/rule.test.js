// The rule as it is, without WebAssembly. `watchbell plugin test` also runs cases.json through the component.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { duration, exported, spelled } from '../src/contract.js';
import { rule } from '../src/rule.js';

const { prepare, Run } = exported(rule, () => {});
const params = JSON.stringify({ at_least: 3, within: '1m' });

/** A page as the host hands it in: a time each, and one column of words without gaps. */
function page(rows) {
  const words = [...new Set(rows.map(([, word]) => word))];
  const bytes = new TextEncoder().encode(words.join(''));
  let end = 0;
  return {
    times: BigInt64Array.from(rows, ([time]) => BigInt(time)),
    columns: [
      {
        field: 'host',
        values: {
          tag: 'words',
          val: {
            codes: Uint32Array.from(rows, ([, word]) => words.indexOf(word)),
            ends: Uint32Array.from(words, (word) => (end += word.length)),
            bytes,
          },
        },
        present: new Uint8Array(),
        offsets: new Uint32Array(),
      },
    ],
  };
}

/** One run over a window; what it found, with the state that it keeps. */
function run(rows, window, state) {
  const times = { start: BigInt(window.start), settled: BigInt(window.settled), end: BigInt(window.end) };
  const run = Run.start(params, ['host'], state, times);
  assert.equal(run.questions().length, 1);
  run.answer(0, page(rows));
  assert.deepEqual(run.questions(), []);
  return run.finish();
}

test('three within a minute are a burst, of one host alone', () => {
  const rows = [[0, 'a'], [10_000, 'b'], [20_000, 'a'], [59_999, 'a'], [61_000, 'b']];
  const { signals } = run(rows, { start: 0, settled: 0, end: 120_000 });
  assert.equal(signals.length, 1);
  assert.equal(signals[0].at, 59_999n);
  assert.equal(signals[0].until, 119_999n);
  assert.deepEqual(signals[0].labels, [{ name: 'host', value: 'a' }]);
  assert.equal(signals[0].summary, '3 events within 1m');
});

test('events a minute apart stay quiet', () => {
  const rows = [[0, 'a'], [30_000, 'a'], [60_000, 'a']];
  assert.deepEqual(run(rows, { start: 0, settled: 0, end: 120_000 }).signals, []);
});

test('cutting time into windows changes nothing', () => {
  const first = run([[0, 'a'], [20_000, 'a']], { start: 0, settled: 30_000, end: 30_000 });
  assert.deepEqual(first.signals, []);
  const second = run([[40_000, 'a']], { start: 30_000, settled: 60_000, end: 60_000 }, first.state);
  assert.equal(second.signals[0].at, 40_000n);
});

test('rows after `settled` are judged, and not kept', () => {
  const { signals, state } = run([[0, 'a'], [10_000, 'a'], [20_000, 'a']], { start: 0, settled: 15_000, end: 30_000 });
  assert.equal(signals.length, 1);
  assert.deepEqual(Object.values(JSON.parse(new TextDecoder().decode(state))), [[0, 10_000]]);
});

test('parameters are checked', () => {
  assert.deepEqual(prepare(params, ['host']), { history: 60_000n, grid: 0n });
  const faults = [{ path: '/within', message: 'must be longer than nothing' }];
  assert.throws(() => prepare(JSON.stringify({ at_least: 3, within: '0s' }), []), (thrown) => {
    assert.deepEqual(thrown, faults);
    return true;
  });
});

test('durations are read and written', () => {
  assert.deepEqual(['1h30m', '90s', '250ms', '1w'].map(duration), [5_400_000, 90_000, 250, 604_800_000]);
  assert.deepEqual([60_000, 90_000, 86_400_000, 1].map(spelled), ['1m', '90s', '1d', '1ms']);
});
