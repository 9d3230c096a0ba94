// Adapts alerter.js to the contract in wit/watchbell.wit. There is rarely a reason to change
// this file.

/** Trying again changes nothing: becomes a dead letter. */
export class Refused extends Error {}

/** Try later, after so many milliseconds if the receiver named a time. */
export class Unavailable extends Error {
  constructor(reason, retryAfter) {
    super(reason);
    this.retryAfter = retryAfter;
  }
}

/** The exports of the interface `alerter`. */
export function exported(alerter, send, log) {
  return {
    describe: () => ({
      name: alerter.name,
      version: alerter.version,
      products: alerter.products.map((product) => ({ ...product, paramsSchema: JSON.stringify(product.paramsSchema) })),
    }),
    prepare: (product, params) => {
      const faults = alerter.check(product, JSON.parse(params));
      if (faults.length > 0) throw faults;
    },
    deliver: (product, params, intent) => {
      try {
        const reference = alerter.deliver(product, JSON.parse(params), intent, (request) => answered(send, request));
        return { reference: reference ?? undefined };
      } catch (error) {
        throw refusal(error, log);
      }
    },
  };
}

/** A POST of JSON, unless the request says otherwise. */
function answered(send, { method = 'POST', path = '', query = [], headers = [], body }) {
  const sent = body === undefined ? { tag: 'empty' } : { tag: 'json', val: JSON.stringify(body) };
  let response;
  try {
    response = send({ method, path, query, headers, body: sent });
  } catch (thrown) {
    // The host's failure is in `payload`. What the grants forbid stays forbidden; a lost connection may come back.
    const failure = thrown.payload ?? thrown;
    if (failure.tag === 'denied' || failure.tag === 'invalid') throw new Refused(failure.val);
    if (failure.tag !== undefined) throw new Unavailable(failure.val);
    throw thrown;
  }
  return {
    status: response.status,
    text: new TextDecoder().decode(response.body),
    header: (name) => response.headers.find(([header]) => header === name)?.[1],
  };
}

function refusal(error, log) {
  if (error instanceof Unavailable) {
    const wait = Number.isFinite(error.retryAfter) ? BigInt(Math.max(0, Math.round(error.retryAfter))) : undefined;
    return { tag: 'unavailable', val: [error.message, wait] };
  }
  // Log what an alerter throws: a trap has no message.
  if (!(error instanceof Refused)) log(0, `${error.message}\n${error.stack ?? ''}`);
  return { tag: 'refused', val: error.message };
}
