// Adapts an alerter's definition to the contract: the exports of the interface `alerter`.
import { checked, finished, guarded } from './definition.js';
import { described, log, setSink, traceOf } from './log.js';
import { takeBroken } from './sandbox.js';
import { shown } from './time.js';

export { log } from './log.js';

const MEMBERS = {
  name: ['string', 'the name of the plugin'],
  version: ['string', 'the version of the plugin'],
  products: ['object', 'the list of products that it delivers to'],
  deliver: ['function', '`deliver({ product, params, intent }, send)` delivers a message'],
  check: ['function', '`check(product, params)` returns the faults of the parameters of a destination', true],
};
const PRODUCT = {
  name: ['string', 'the name in the `use:` of a destination'],
  summary: ['string', 'one sentence for people'],
  paramsSchema: ['object', "the JSON Schema of a destination's `params`"],
  format: ['string', 'plain, markdown, html or mrkdwn'],
  titleMax: ['number', 'the longest title, in characters'],
  bodyMax: ['number', 'the longest body, in characters'],
};
const FORMATS = ['plain', 'markdown', 'html', 'mrkdwn'];
const REQUEST = ['method', 'path', 'query', 'headers', 'json', 'form', 'text', 'multipart'];
const BODIES = ['json', 'form', 'text', 'multipart'];
const REQUESTS_MAX = 16;

/** Retrying is pointless: the message becomes a dead letter. */
export class Refused extends Error {
  name = 'Refused';
}

/** Retry later, after so many milliseconds if the receiver named a time. */
export class Unavailable extends Error {
  name = 'Unavailable';

  constructor(reason, retryAfter) {
    super(reason);
    this.retryAfter = retryAfter;
  }
}

/** The exports for a definition. `send` and `write` are the host's. Throws where the definition is wrong. */
export function exported(definition, send, write) {
  setSink(write);
  const alerter = checked('alerter', definition, MEMBERS);
  if (!Array.isArray(alerter.products) || alerter.products.length === 0)
    throw new Error('`products` must be a list with at least one product');
  const products = alerter.products.map((product) => declared(checked('product', product, PRODUCT)));
  return {
    describe: () => ({ name: alerter.name, version: alerter.version, products }),
    prepare: ({ product, params }) => {
      if (alerter.check === undefined) return;
      let faults;
      try {
        faults = guarded('`check`', () => listed(finished(alerter.check(product, JSON.parse(params)), 'check')));
      } catch (problem) {
        faults = [{ path: '', message: problem.val }];
      }
      if (faults.length > 0) throw faults;
    },
    deliver: ({ destination: { product, params }, intent }) => {
      try {
        const reference = alerter.deliver(
          { product, params: JSON.parse(params), intent: readable(intent) },
          sender(send),
        );
        const broken = takeBroken();
        if (broken !== undefined) throw new Error(broken);
        if (finished(reference, 'deliver') !== undefined && reference !== null && typeof reference !== 'string') {
          throw new Error(
            `\`deliver\` must return the receiver's id of the message as text, or nothing, not ${shown(reference)}`,
          );
        }
        return { reference: reference ?? undefined };
      } catch (thrown) {
        takeBroken();
        throw refusal(thrown);
      }
    },
  };
}

function declared({ name, summary, paramsSchema, format, titleMax, bodyMax }) {
  if (!FORMATS.includes(format))
    throw new Error(`the \`format\` of product \`${name}\` must be ${FORMATS.join(', ')}, not ${shown(format)}`);
  for (const [member, max] of [
    ['titleMax', titleMax],
    ['bodyMax', bodyMax],
  ]) {
    if (!Number.isInteger(max) || max < 1)
      throw new Error(
        `\`${member}\` of product \`${name}\` must be a whole number of characters, 1 or more, not ${shown(max)}`,
      );
  }
  return { name, summary, paramsSchema: JSON.stringify(paramsSchema), text: { format, titleMax, bodyMax } };
}

function listed(faults) {
  const isFault = (fault) => typeof fault?.path === 'string' && typeof fault?.message === 'string';
  if (!Array.isArray(faults) || !faults.every(isFault))
    throw new Error(`\`check\` must return a list of faults { path, message }, not ${shown(faults)}`);
  return faults;
}

/** The message with times as numbers, labels as an object, and details as a value. */
function readable(intent) {
  const labels = Object.fromEntries((intent.labels ?? []).map(({ name, value }) => [name, value]));
  const details = intent.details === undefined ? {} : JSON.parse(intent.details);
  return { ...intent, labels, details, at: Number(intent.at), since: Number(intent.since) };
}

/** `send(number, request)`: a POST, unless the request says otherwise. Each request of a delivery has its own number. */
function sender(send) {
  const numbers = new Set();
  return (number, request) => {
    if (!Number.isInteger(number) || number < 0 || number >= REQUESTS_MAX) {
      throw new Error(
        `\`send(number, request)\` needs the request's number, 0 to ${REQUESTS_MAX - 1}, not ${shown(number)}`,
      );
    }
    if (numbers.has(number))
      throw new Error(
        `request ${number} was sent already: give each request of a delivery its own number, the same in every attempt`,
      );
    numbers.add(number);
    let response;
    try {
      response = send(number, wired(request ?? {}));
    } catch (thrown) {
      throw failure(thrown);
    }
    const headers = Object.fromEntries(response.headers.map(({ name, value }) => [name, value]));
    return { status: response.status, headers, text: new TextDecoder().decode(response.body) };
  };
}

function wired(request) {
  for (const member in request) {
    if (!REQUEST.includes(member))
      throw new Error(`a request has no member \`${member}\`: there are ${REQUEST.join(', ')}`);
  }
  const bodies = BODIES.filter((kind) => request[kind] !== undefined);
  if (bodies.length > 1) throw new Error(`a request has one body, not ${bodies.join(' and ')}`);
  const [kind] = bodies;
  const { method = 'POST', path = '', query = {}, headers = {} } = request;
  return {
    method,
    path,
    query: fields(query),
    headers: fields(headers),
    body: kind === undefined ? { tag: 'empty' } : body(kind, request[kind]),
  };
}

function body(kind, value) {
  if (kind === 'json') return { tag: 'json', val: JSON.stringify(value) };
  return { tag: kind, val: kind === 'text' ? String(value) : fields(value) };
}

/** An object, or a list of pairs where a name comes more than once. Members that are undefined are left out. */
function fields(given) {
  const pairs = Array.isArray(given) ? given : Object.entries(given);
  return pairs.filter(([, value]) => value !== undefined).map(([name, value]) => ({ name, value: String(value) }));
}

/** The host's failure. What the grants forbid stays forbidden; a lost connection may come back. */
function failure(thrown) {
  const { tag, val } = thrown?.payload ?? thrown ?? {};
  if (tag === 'denied' || tag === 'invalid') return new Refused(val);
  return tag === undefined ? thrown : new Unavailable(val);
}

function refusal(thrown) {
  if (thrown instanceof Unavailable) {
    const { message: reason, retryAfter: wait } = thrown;
    return {
      tag: 'unavailable',
      val: { reason, retryAfter: Number.isFinite(wait) ? BigInt(Math.max(0, Math.round(wait))) : undefined },
    };
  }
  if (thrown instanceof Refused) return { tag: 'refused', val: thrown.message };
  const told = described(thrown);
  log.error(`\`deliver\`: ${told}${traceOf(thrown)}`);
  return { tag: 'refused', val: told };
}
