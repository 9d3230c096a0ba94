// Against a scripted receiver, without WebAssembly.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { exported } from '../watchbell/alerter.js';
import { alerter } from '../src/alerter.js';

const INTENT = {
  id: '7f3a',
  title: 'Many failed logins',
  body: '3 events within 1m',
  severity: 'critical',
  labels: [{ name: 'host', value: 'web-1' }],
  details: '{"count": 3}',
  at: 1_704_067_200_000n,
  since: 1_704_067_200_000n,
};

/** One delivery to a receiver that responds so; what was sent, and what became of it. */
function delivery(status, headers = [], intent = INTENT) {
  const sent = [];
  const send = (number, request) => {
    sent.push({ number, ...request });
    return { status, headers, body: new TextEncoder().encode('words') };
  };
  const { deliver } = exported(alerter, send, () => {});
  try {
    return { sent, receipt: deliver({ destination: { product: 'plugin-name', params: '{"room": "ops"}' }, intent }) };
  } catch (refusal) {
    return { sent, refusal };
  }
}

test('a message is sent as JSON', () => {
  const { sent, receipt } = delivery(201, [{ name: 'location', value: '/m/1' }]);
  assert.deepEqual(receipt, { reference: '/m/1' });
  assert.deepEqual(
    [sent.length, sent[0].number, sent[0].headers],
    [1, 0, [{ name: 'Idempotency-Key', value: '7f3a' }]],
  );
  const body = JSON.parse(sent[0].body.val);
  assert.deepEqual(body, { room: 'ops', title: 'Many failed logins', text: '3 events within 1m', urgent: true });
});

test('later messages reply to the first', () => {
  const { sent } = delivery(200, [], { ...INTENT, previous: { reference: '/m/1' } });
  assert.equal(JSON.parse(sent[0].body.val).reply_to, '/m/1');
});

test('what may pass is retried, and the rest is not', () => {
  assert.deepEqual(delivery(404).refusal, { tag: 'refused', val: 'answered 404: words' });
  const busy = delivery(429, [{ name: 'retry-after', value: '30' }]).refusal;
  assert.deepEqual(busy.val, { reason: 'answered 429: words', retryAfter: 30_000n });
  assert.deepEqual(delivery(503).refusal, {
    tag: 'unavailable',
    val: { reason: 'answered 503: words', retryAfter: undefined },
  });
});

test('parameters are checked', () => {
  const { prepare } = exported(
    alerter,
    () => {},
    () => {},
  );
  prepare({ product: 'plugin-name', params: '{"room": "ops"}' });
  assert.throws(
    () => prepare({ product: 'plugin-name', params: '{"room": ""}' }),
    (faults) => faults[0].path === '/room',
  );
});
