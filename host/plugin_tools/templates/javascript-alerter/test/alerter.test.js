// Against a scripted receiver, without WebAssembly.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { alerter } from '../src/alerter.js';
import { exported } from '../src/contract.js';

const INTENT = { id: '7f3a', title: 'Many failed logins', body: '3 events within 1m', severity: 'critical' };

/** One delivery to a receiver that answers so; what was sent, and what became of it. */
function delivery(status, headers = []) {
  const sent = [];
  const send = (request) => {
    sent.push(request);
    return { status, headers, body: new TextEncoder().encode('words') };
  };
  const { deliver } = exported(alerter, send, () => {});
  try {
    return { sent, receipt: deliver('plugin-name', '{"room": "ops"}', INTENT) };
  } catch (refusal) {
    return { sent, refusal };
  }
}

test('a message is sent as JSON', () => {
  const { sent, receipt } = delivery(201, [['location', '/m/1']]);
  assert.deepEqual(receipt, { reference: '/m/1' });
  assert.deepEqual(sent[0].headers, [['Idempotency-Key', '7f3a']]);
  const body = JSON.parse(sent[0].body.val);
  assert.deepEqual([body.title, body.room, body.urgent], ['Many failed logins', 'ops', true]);
});

test('what may pass is tried again, and the rest is not', () => {
  assert.deepEqual(delivery(404).refusal, { tag: 'refused', val: 'answered 404: words' });
  assert.deepEqual(delivery(429, [['retry-after', '30']]).refusal.val, ['answered 429: words', 30_000n]);
  assert.deepEqual(delivery(503).refusal, { tag: 'unavailable', val: ['answered 503: words', undefined] });
});

test('a receiver out of reach is tried again', () => {
  const send = () => {
    throw { payload: { tag: 'unreachable', val: 'down' } };
  };
  const { deliver } = exported(alerter, send, () => {});
  assert.throws(() => deliver('plugin-name', '{}', INTENT), (refusal) => {
    assert.deepEqual(refusal, { tag: 'unavailable', val: ['down', undefined] });
    return true;
  });
});

test('parameters are checked', () => {
  const { prepare } = exported(alerter, () => {}, () => {});
  prepare('plugin-name', '{"room": "ops"}');
  assert.throws(() => prepare('plugin-name', '{"room": ""}'), (faults) => faults[0].path === '/room');
});
