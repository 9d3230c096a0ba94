// The adapter of alerters: requests, refusals, errors as sentences.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Refused, Unavailable, exported } from '../alerter.js';
import { forbid } from '../sandbox.js';

const INTENT = {
  id: '7f3a',
  labels: [{ name: 'host', value: 'a' }],
  details: '{"n":1}',
  at: 5n,
  since: 4n,
  previous: undefined,
};
const PRODUCT = {
  name: 'p',
  summary: 's',
  paramsSchema: { type: 'object' },
  format: 'plain',
  titleMax: 10,
  bodyMax: 20,
};

function delivered(
  deliver,
  { respond = () => ({ status: 200, headers: [], body: new Uint8Array() }), intent = INTENT } = {},
) {
  const [sent, logs] = [[], []];
  const send = (number, request) => {
    sent.push({ number, ...request });
    return respond(number);
  };
  const alerter = { name: 'a', version: '1', products: [PRODUCT], deliver };
  const call = { destination: { product: 'p', params: '{"room":"ops"}' }, intent };
  try {
    return { sent, logs, receipt: exported(alerter, send, (...line) => logs.push(line)).deliver(call) };
  } catch (refusal) {
    return { sent, logs, refusal };
  }
}

test('requests are numbered, and have one body', () => {
  const { sent, receipt } = delivered((_delivery, send) => {
    send(0, {
      json: { a: 1 },
      headers: { 'X-A': 'b', 'X-None': undefined },
      query: [
        ['q', '1'],
        ['q', '2'],
      ],
    });
    send(1, { method: 'PUT', path: '/x', form: { a: 'b' } });
    send(2, { method: 'GET' });
    return 'm1';
  });
  assert.deepEqual(receipt, { reference: 'm1' });
  assert.deepEqual(sent, [
    {
      number: 0,
      method: 'POST',
      path: '',
      query: [
        { name: 'q', value: '1' },
        { name: 'q', value: '2' },
      ],
      headers: [{ name: 'X-A', value: 'b' }],
      body: { tag: 'json', val: '{"a":1}' },
    },
    {
      number: 1,
      method: 'PUT',
      path: '/x',
      query: [],
      headers: [],
      body: { tag: 'form', val: [{ name: 'a', value: 'b' }] },
    },
    { number: 2, method: 'GET', path: '', query: [], headers: [], body: { tag: 'empty' } },
  ]);
});

test('a delivery has its product, parameters and message', () => {
  let seen;
  delivered((delivery) => void (seen = delivery), { intent: { ...INTENT, previous: { reference: 'm0' } } });
  assert.deepEqual(
    [seen.product, seen.params, seen.intent.labels, seen.intent.details],
    ['p', { room: 'ops' }, { host: 'a' }, { n: 1 }],
  );
  assert.deepEqual([seen.intent.at, seen.intent.since, seen.intent.previous], [5, 4, { reference: 'm0' }]);
});

test('what the host could not send is refused or retried', () => {
  const failing = (tag) =>
    delivered((_delivery, send) => void send(0, {}), {
      respond: () => {
        throw Object.assign(new Error(), { payload: { tag, val: 'why' } });
      },
    }).refusal;
  assert.deepEqual(failing('denied'), { tag: 'refused', val: 'why' });
  assert.deepEqual(failing('unreachable'), { tag: 'unavailable', val: { reason: 'why', retryAfter: undefined } });
});

test('refusals carry their reason, and the time to wait', () => {
  const refused = (thrown) =>
    delivered(() => {
      throw thrown;
    });
  assert.deepEqual(refused(new Refused('no')).refusal, { tag: 'refused', val: 'no' });
  assert.deepEqual(refused(new Unavailable('busy', 1_500)).refusal, {
    tag: 'unavailable',
    val: { reason: 'busy', retryAfter: 1_500n },
  });
  assert.deepEqual(refused(new Unavailable('busy', NaN)).refusal.val.retryAfter, undefined);
  assert.deepEqual(refused(new Refused('no')).logs, []);
});

test('what is wrong is a sentence with file and line, and is logged', () => {
  const wrong = (deliver) => {
    const { refusal, logs } = delivered(deliver);
    assert.equal(logs.length, 1);
    assert.equal(refusal.tag, 'refused');
    return refusal.val;
  };
  assert.match(
    wrong((delivery) => delivery.missing.x),
    /TypeError: .* \(test\/alerter\.test\.js:[0-9]+\)/,
  );
  assert.match(
    wrong(() => 7),
    /`deliver` must return the receiver's id of the message as text, or nothing, not 7/,
  );
  assert.match(
    wrong(async () => 'x'),
    /`deliver` returned a promise/,
  );
  assert.match(
    wrong((_delivery, send) => send({ json: 1 })),
    /needs the request's number, 0 to 15/,
  );
  assert.match(
    wrong((_delivery, send) => send(0, {}) && send(0, {})),
    /request 0 was sent already/,
  );
  assert.match(
    wrong((_delivery, send) => send(0, { body: 'x' })),
    /a request has no member `body`/,
  );
  assert.match(
    wrong((_delivery, send) => send(0, { json: 1, text: 'x' })),
    /a request has one body, not json and text/,
  );
  const undo = forbid();
  try {
    assert.match(
      wrong(() => Date.now()),
      /`Date\.now` ends the run: a plugin has no clock/,
    );
  } finally {
    undo();
  }
});

test('a definition that is not complete is told', () => {
  const wrong = (members) => {
    try {
      exported(
        { name: 'a', version: '1', products: [PRODUCT], deliver: () => {}, ...members },
        () => {},
        () => {},
      );
    } catch (thrown) {
      return thrown.message;
    }
    return 'nothing';
  };
  assert.match(wrong({ delivr: () => {} }), /did you mean `deliver`\?/);
  assert.match(wrong({ products: [] }), /at least one product/);
  assert.match(
    wrong({ products: [{ ...PRODUCT, format: 'Plain' }] }),
    /the `format` of product `p` must be plain, markdown, html, mrkdwn, not `Plain`/,
  );
  assert.match(wrong({ products: [{ ...PRODUCT, bodyMax: 0.5 }] }), /`bodyMax` of product `p` must be a whole number/);
  assert.match(
    wrong({ products: [{ ...PRODUCT, titleMax: undefined }] }),
    /the product is not complete: `titleMax` is missing/,
  );
});

test('faults of parameters are lists of a path and a message', () => {
  const prepared = (check) => {
    try {
      exported(
        { name: 'a', version: '1', products: [PRODUCT], deliver: () => {}, check },
        () => {},
        () => {},
      ).prepare({ product: 'p', params: '{}' });
    } catch (faults) {
      return faults;
    }
    return [];
  };
  assert.deepEqual(
    prepared(() => []),
    [],
  );
  assert.deepEqual(
    prepared(() => [{ path: '/a', message: 'b' }]),
    [{ path: '/a', message: 'b' }],
  );
  assert.match(prepared(() => 'x')[0].message, /`check` must return a list of faults/);
});
