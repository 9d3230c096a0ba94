// The adapter of rules: order of rows and checks, errors as sentences, bounds.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { page } from '../harness/documents.js';
import { assertFold, check, prepare, run } from '../harness.js';
import { buckets, exported, hits, labelsOf, log } from '../rule.js';
import { forbid } from '../sandbox.js';

const CONTEXT = { key: ['host'], every: 60_000n, lateness: 0n, indices: ['logs-*'] };

/** A complete definition, with some members replaced. */
function rule(members = {}) {
  const whole = {
    name: 'r',
    version: '1',
    summary: 's',
    stateVersion: 1,
    paramsSchema: { type: 'object' },
    begin: () => ({}),
    row: () => {},
  };
  return { ...whole, ...members };
}

function started(definition, { start = 0, settled = 100, end = 100, state, context = CONTEXT } = {}) {
  const logs = [];
  const { Run } = exported(definition, (...line) => logs.push(line));
  const window = { start: BigInt(start), settled: BigInt(settled), end: BigInt(end) };
  return { run: Run.start({ params: '{}', context, state, window }), logs };
}

/** A page of times and hosts, and a column `n` if values are given. */
function rows(list) {
  return page(
    list.map(([time, host, ...n]) => ({ time, labels: [host], columns: n.length > 0 ? [['n', n]] : [] })),
    ['host'],
  );
}

/** What is thrown where the definition or a function of it is wrong. */
function sentence(work) {
  try {
    work();
  } catch (thrown) {
    return thrown.val ?? thrown.message ?? thrown[0].message;
  }
  return assert.fail('nothing was thrown');
}

function rowFails(row, list = [[1, 'a', 7]]) {
  return sentence(() => started(rule({ row })).run.answer(0, rows(list)));
}

test('a check sees exactly the rows before it, and the snapshot the checks up to it', () => {
  const seen = [];
  const definition = rule({
    plan: () => ({ history: '1m', grid: 10 }),
    begin: () => ({ seen: [] }),
    row: (_params, _state, row) => seen.push(`row ${row.time}`) && undefined,
    check: (_params, _state, at) => seen.push(`check ${at}`) && undefined,
    settle: (_params, _state, at) => seen.push(`settle ${at}`) && undefined,
  });
  const { run } = started(definition, { start: 0, settled: 20, end: 40 });
  run.answer(
    0,
    rows([
      [5, 'a'],
      [10, 'a'],
      [15, 'a'],
    ]),
  );
  run.snapshot();
  run.answer(
    0,
    rows([
      [20, 'a'],
      [31, 'a'],
    ]),
  );
  run.finish();
  assert.deepEqual(seen, [
    'row 5',
    'check 10',
    'row 10',
    'row 15',
    'check 20',
    'settle 20',
    'row 20',
    'check 30',
    'row 31',
    'check 40',
  ]);
});

test('checks count back from the end of the window', () => {
  const seen = [];
  const definition = rule({ plan: () => ({ grid: 10 }), check: (_params, _state, at) => void seen.push(at) });
  started(definition, { start: 3, settled: 3, end: 23 }).run.finish();
  assert.deepEqual(seen, [13, 23]);
});

test('rows have a time, a key, labels and values', () => {
  const seen = [];
  const { run } = started(
    rule({
      row: (_p, _s, row) =>
        void seen.push([row.time, row.key, row.labels, row.value('n'), row.values('n'), row.isMapped('n')]),
    }),
  );
  run.answer(
    0,
    page(
      [
        { time: 1, labels: ['a'], columns: [['n', [7, 8]]] },
        { time: 2, labels: [undefined], columns: [['n', []]] },
      ],
      ['host'],
    ),
  );
  assert.deepEqual(seen, [
    [1, '["a"]', ['a'], 7, [7, 8], true],
    [2, '[null]', [undefined], undefined, [], true],
  ]);
  assert.deepEqual(labelsOf('[null]'), [undefined]);
});

test('integers beyond 2^53 stay distinct', () => {
  const seen = [];
  const { run } = started(rule({ row: (_p, _s, row) => void seen.push(row.value('n')) }));
  const large = [9_007_199_254_740_993n, 9_007_199_254_740_992n, -9_223_372_036_854_775_808n];
  run.answer(0, rows([...large, -1n, 9_007_199_254_740_991n].map((n) => [1, 'a', n])));
  assert.deepEqual(seen, [...large, -1, 9_007_199_254_740_991]);
});

test('words and places are read', () => {
  const seen = [];
  const { run } = started(rule({ row: (_p, _s, row) => void seen.push(row.value('n')) }));
  run.answer(
    0,
    rows([
      [1, 'ä', 'grün'],
      [2, 'b', ''],
      [3, 'b', 'web-1'],
    ]),
  );
  run.answer(0, rows([[4, 'b', { latitude: 52.5, longitude: 13.4 }]]));
  assert.deepEqual(seen, ['grün', '', 'web-1', { latitude: 52.5, longitude: 13.4 }]);
  assert.match(
    rowFails((_p, _s, row) => row.point('n')),
    /`n` is no place: its values are like 7/,
  );
});

test('a field that was not asked for is named', () => {
  assert.match(
    rowFails((_p, _s, row) => void row.value('m')),
    /^`m` was not asked for: add it .*`\.field\('m'\)`.* it names `n` \(test\/rule\.test\.js:[0-9]+\)$/,
  );
});

test('a definition that is not complete is told', () => {
  const wrong = (members) => sentence(() => exported(rule(members), () => {}));
  assert.match(wrong({ row: undefined }), /`row` is missing: `row\(params, state, row, signals\)` takes in a row/);
  assert.match(wrong({ settel: () => {} }), /`settel` is no member of a rule: did you mean `settle`\?/);
  assert.match(wrong({ state_version: 1 }), /did you mean `stateVersion`\?/);
  assert.match(wrong({ stateVersion: 1.5 }), /`stateVersion` must be a whole number, not 1\.5/);
  assert.match(wrong({ summary: 7 }), /`summary` must be a string, not 7/);
  assert.match(
    wrong({ begin: () => params.x }),
    /`begin` fails for sample parameters \(ReferenceError: params is not defined/,
  );
});

test('a plan that is wrong is told', () => {
  const wrong = (plan, more) => prepare(rule({ plan: () => plan, ...more }), {})[0].message;
  const checked = { check: () => {} };
  assert.match(
    wrong({ grid: 0 }, checked),
    /`grid` must be whole milliseconds, 1 or more, or a text such as `5m`, not 0/,
  );
  assert.match(wrong({ grid: -5 }, checked), /not -5/);
  assert.match(wrong({ grid: 1.5 }, checked), /not 1\.5/);
  assert.match(wrong({ grid: '5 minutes' }, checked), /`5 minutes` is not a duration/);
  assert.match(wrong({ history: -1 }), /`history` must be whole milliseconds, 0 or more/);
  assert.match(wrong({ hsitory: 1 }), /unknown member `hsitory`/);
  assert.match(wrong({ grid: 10 }), /the rule has no function `check/);
  assert.match(wrong({}, checked), /`plan` returned no `grid`/);
  assert.match(wrong(null), /must return \{ history, grid \}, not null/);
  assert.deepEqual(prepare(rule({ plan: () => ({ history: '1h', grid: '1m' }), ...checked }), {}), {
    history: 3_600_000n,
    grid: 60_000n,
  });
});

test('a signal that is wrong is told, with file and line', () => {
  const wrong = (signal) =>
    rowFails((_p, _s, row, signals) => signals.push({ kind: 'event', labels: row.labels, at: row.time, ...signal }));
  assert.match(
    wrong({ kind: 'fire' }),
    /`kind` must be firing, clear or event, not `fire` \(test\/rule\.test\.js:[0-9]+\)/,
  );
  assert.match(wrong({ sumary: 'x' }), /a signal has no member `sumary`/);
  assert.match(wrong({ labels: [] }), /must be a list with a value for `host`/);
  assert.match(wrong({ at: 1.5 }), /`at` must be whole milliseconds/);
  assert.match(wrong({ until: 0 }), /`until` must be whole milliseconds, not before `at`, not 0/);
  assert.match(wrong({ value: '7' }), /`value` must be a number, not `7`/);
  assert.match(wrong({ details: [1] }), /`details` must be an object/);
  assert.match(wrong({ evidence: {} }), /evidence must be `row\.evidence\(\)`/);
});

test('signals are cut to the limits of the host', () => {
  const { run, logs } = started(
    rule({
      row: (_p, _s, row, signals) =>
        signals.push({
          kind: 'firing',
          labels: row.labels,
          at: row.time,
          value: NaN,
          threshold: Infinity,
          summary: 'ü'.repeat(5_000),
          details: { trace: 'x'.repeat(300_000), n: 2n ** 60n },
        }) && undefined,
    }),
  );
  run.answer(0, rows([[1, 'a']]));
  const [signal] = run.finish().signals;
  assert.deepEqual([signal.value, signal.threshold], [undefined, undefined]);
  assert.ok(Buffer.byteLength(signal.summary) <= 2_048 && signal.summary.endsWith('ü…'));
  assert.ok(
    signal.details.length <= 65_536 &&
      signal.details.includes('xxx…') &&
      signal.details.includes('"1152921504606846976"'),
  );
  assert.deepEqual(logs, []);
});

test('one instant is cut, and a longer window left to the host', () => {
  const many = (step) => {
    const { run, logs } = started(
      rule({
        row: (_p, _s, row, signals) => signals.push({ kind: 'event', labels: row.labels, at: row.time }) && undefined,
      }),
      { end: 100_000 },
    );
    run.answer(0, rows(Array.from({ length: 12_000 }, (_, n) => [n * step, `h${n}`])));
    return [run.finish().signals.length, logs.length];
  };
  assert.deepEqual(many(1), [12_000, 0]);
  assert.deepEqual(many(0), [10_000, 1]);
});

test('evidence is a selection or documents', () => {
  const definition = rule({
    questions: (_p, over, _c, _s, round) => (round === 0 ? [hits(over).identified()] : []),
    row: (_p, _s, row, signals) => {
      signals.push({ kind: 'event', labels: row.labels, at: row.time, evidence: row.evidence() });
      signals.push({
        kind: 'event',
        labels: row.labels,
        at: row.time,
        identity: 'x',
        evidence: { over: { start: 0, end: 2 }, only: { user: ['a', undefined] }, filter: 'a:b', newest: 99 },
      });
    },
  });
  const given = { params: {}, key: [], documents: [{ at: '1s', fields: { _id: 'd1' } }] };
  const [one, two] = run(definition, given).signals;
  assert.deepEqual(one.evidence, { tag: 'documents', val: [{ at: one.at, index: 'documents', id: 'd1' }] });
  assert.deepEqual(two.evidence.val, {
    over: { start: 0, end: 2 },
    only: [{ field: 'user', values: ['a', null] }],
    filter: { tag: 'lucene', val: 'a:b' },
    newest: 10,
  });
});

test('questions are built, and wrong ones told', () => {
  const over = { start: 0, end: 100 };
  const asked = (questions) => started(rule({ questions })).run.questions();
  const built = asked((_p, given) => [
    buckets(given, '1m')
      .field('user')
      .metric('slow', { field: 'took' }, { percentile: 95 }, 'a:b')
      .namedFilter('bad', { term: { x: 1 } })
      .only('env', ['prod', null])
      .filter('c:d'),
  ]);
  assert.deepEqual(built, {
    isScouting: false,
    questions: [
      {
        over: { start: 0n, end: 100n },
        only: [{ field: 'env', values: ['prod', undefined] }],
        filter: { tag: 'lucene', val: 'c:d' },
        ask: {
          tag: 'buckets',
          val: {
            by: ['user'],
            every: 60_000n,
            metrics: [
              {
                name: 'slow',
                source: { tag: 'field', val: 'took' },
                calc: { tag: 'percentile', val: 95 },
                filter: { tag: 'lucene', val: 'a:b' },
              },
            ],
            filters: [{ name: 'bad', query: { tag: 'dsl', val: '{"term":{"x":1}}' } }],
          },
        },
      },
    ],
  });
  const wrong = (questions) => sentence(() => asked(questions));
  assert.match(
    wrong(() => [{}]),
    /`questions` must return a list of hits/,
  );
  assert.match(
    wrong(async () => []),
    /`questions` returned a promise: it must not be async/,
  );
  assert.match(
    wrong(() => [hits(over).metric('m', { field: 'x' }, 'sum')]),
    /`\.metric\(\)` is for buckets, not for a question of kind hits/,
  );
  assert.match(
    wrong(() => [buckets(over).metric('m', { field: 'x' }, 'median')]),
    /the calc of metric `m` must be minimum/,
  );
  assert.match(
    wrong(() => [hits({ start: 5, end: 1 })]),
    /must be \{ start, end \} in milliseconds/,
  );
  assert.match(
    wrong(() => ({ questions: [hits(over)], scouting: true })),
    /a scouting round needs the function `scout/,
  );
});

test('a scouting round tells what to ask next', () => {
  const definition = rule({
    begin: () => ({ suspects: [] }),
    questions(_p, over, _c, state, round) {
      if (round === 0) return { questions: [buckets(over)], scouting: true };
      const { suspects } = state;
      state.suspects = [];
      return round === 1 && suspects.length > 0 ? [hits(over).only('host', suspects)] : [];
    },
    scout: (_p, state, row) => void (row.value('_count') > 1 && state.suspects.push(row.labels[0])),
    row: (_p, _s, row, signals) => void signals.push({ kind: 'event', labels: row.labels, at: row.time }),
  });
  const documents = [
    { at: '1s', fields: { host: 'a' } },
    { at: '2s', fields: { host: 'b' } },
    { at: '3s', fields: { host: 'a' } },
  ];
  const { signals } = run(definition, { params: {}, key: ['host'], documents, until: '1m' });
  assert.deepEqual(
    signals.map(({ labels }) => labels.host),
    ['a', 'a'],
  );
});

test('named filters and metrics come as columns', () => {
  const definition = rule({
    questions: (_p, over, _c, _s, round) =>
      round === 0
        ? [buckets(over, '1m').namedFilter('bad', 'level:error').metric('most', { field: 'took' }, 'maximum')]
        : undefined,
    row: (_p, _s, row, signals) =>
      void signals.push({
        kind: 'event',
        labels: row.labels,
        at: row.time,
        value: row.value('bad'),
        details: { most: row.value('most'), all: row.value('_count') },
      }),
  });
  const documents = [
    { at: '1s', fields: { level: 'error', took: 5 } },
    { at: '2s', fields: { level: 'info', took: 9 } },
  ];
  const given = {
    name: 'buckets',
    params: {},
    key: [],
    documents,
    matches: { 'level:error': ({ level }) => level === 'error' },
  };
  check(definition, { ...given, expect: [{ at: '0s', value: 1, details: { most: 9, all: 2 } }] });
  assert.throws(() => run(definition, { ...given, matches: {} }), /the harness does not read Lucene syntax/);
});

test('what is thrown comes back with file and line, and is logged', () => {
  const { run, logs } = started(rule({ row: (_p, state) => state.missing.push(1) }));
  assert.match(
    sentence(() => run.answer(0, rows([[1, 'a']]))),
    /^TypeError: .*missing|undefined.* \(test\/rule\.test\.js:[0-9]+\)$/,
  );
  assert.equal(logs.length, 1);
  assert.equal(logs[0][0], 'error');
  assert.match(
    rowFails(async () => {}),
    /`row` returned a promise/,
  );
  assert.match(
    rowFails(() => {
      throw 'text';
    }),
    /something that is no Error was thrown: text/,
  );
});

test('faults of the parameters are checked too', () => {
  const thrown = (value) =>
    prepare(
      rule({
        plan: () => {
          throw value;
        },
      }),
      {},
    );
  assert.deepEqual(thrown([{ path: '/x', message: 'm' }]), [{ path: '/x', message: 'm' }]);
  assert.match(thrown(['x'])[0].message, /must throw a list of faults/);
  assert.match(thrown(new Error('no'))[0].message, /^no \(test\/rule\.test\.js:[0-9]+\)$/);
});

test('a state of another kind is told', () => {
  const problem = (state) => {
    try {
      started(rule(), { state: new TextEncoder().encode(state) });
    } catch (thrown) {
      return thrown;
    }
    return undefined;
  };
  assert.equal(problem('{').tag, 'state');
  assert.match(
    sentence(() => started(rule({ begin: () => 7 }), {})),
    /`begin` must return an object/,
  );
  assert.match(
    sentence(() => started(rule({ begin: () => ({ n: 1n }), stateLayout: 'x' })).run.snapshot()),
    /keep integers beyond 2\^53 as text/,
  );
});

test('the layout of the state is the shape of what `begin` returns', () => {
  const layout = (members) => exported(rule(members), () => {}).describe().stateLayout;
  assert.equal(
    layout({ begin: () => ({ since: 0, hosts: {}, list: ['a'] }) }),
    '{hosts:{},list:[string],since:number}',
  );
  assert.equal(layout({ stateLayout: 'mine' }), 'mine');
  const many = () => Object.fromEntries(Array.from({ length: 99 }, (_, n) => [`member${n}`, n]));
  assert.ok(layout({ begin: many }).length <= 256);
});

test('clock, randomness, timers and network end the run, even if the rule catches it', () => {
  const uses = [
    [() => Date.now(), 'Date.now'],
    [() => new Date(), 'new Date()'],
    [() => Date(), 'Date()'],
    [() => Math.random(), 'Math.random'],
    [() => performance.now(), 'performance.now'],
    [() => crypto.getRandomValues(new Uint8Array(1)), 'crypto.getRandomValues'],
    [() => setTimeout(() => {}, 1), 'setTimeout'],
    [() => fetch('http://localhost'), 'fetch'],
    [() => new new Date(0).constructor(), 'new Date()'],
  ];
  for (const [use, name] of uses) {
    const caught = () => {
      try {
        use();
      } catch {
        // The run ends all the same.
      }
    };
    const undo = forbid();
    let told;
    try {
      told = rowFails(caught);
    } finally {
      undo();
    }
    assert.ok(told.startsWith(`\`${name}\` ends the run: a plugin has no`), `${name}: ${told}`);
  }
  assert.equal(new Date(5).getTime(), 5);
  assert.ok(Date.now() > 0 && Math.random() < 1);
});

test('the log has levels', () => {
  const { run, logs } = started(
    rule({
      row: () => {
        log.debug('n is', 7, { a: 1 });
        log.warn('x');
      },
    }),
  );
  run.answer(0, rows([[1, 'a']]));
  assert.deepEqual(logs, [
    ['debug', 'n is 7 {"a":1}'],
    ['warn', 'x'],
  ]);
});

test('the harness finds a rule that is no fold, and a state that JSON does not keep', () => {
  const given = {
    name: 'counts rows of a window',
    params: {},
    key: [],
    documents: [{ at: '1s', every: '1s', count: 90 }],
    until: '3m',
  };
  const count = (_p, state, row, signals) =>
    void (
      (state.n = (state.n ?? 0) + 1) % 50 === 0 && signals.push({ kind: 'event', labels: row.labels, at: row.time })
    );
  assertFold(rule({ row: count }), given);
  const forgets = rule({ row: count, settle: (_p, state) => void (state.n = 0) });
  assert.throws(() => assertFold(forgets, given), /report something else/);
  assert.throws(() => run(rule({ begin: () => ({ seen: new Set() }) }), given), /state\.seen is a Set/);
});
