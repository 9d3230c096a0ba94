// The alerter itself: plain JavaScript without WebAssembly, so `npm test` runs it directly.
import { Refused, Unavailable } from '../watchbell/alerter.js';

export const alerter = {
  name: 'plugin-name',
  version: '0.1.0',
  products: [
    {
      name: 'plugin-name',
      summary: 'JSON to an HTTP receiver',
      // The schema of a destination's `params`.
      paramsSchema: {
        type: 'object',
        additionalProperties: false,
        properties: {
          room: { description: "The room to write to; the receiver's own choice by default.", type: 'string' },
        },
      },
      // plain, markdown, html or mrkdwn; the host shortens longer texts.
      format: 'plain',
      titleMax: 200,
      bodyMax: 4_000,
    },
  ],

  // Faults of a destination's parameters, each with a JSON pointer into them.
  check(_product, params) {
    return params.room === '' ? [{ path: '/room', message: 'must not be empty: leave it out instead' }] : [];
  },

  // Delivers one message. `send` returns the response, or throws `Refused` or `Unavailable`. The host owns the destination's
  // URL and credentials. Requests are numbered: a later attempt gets the response that an earlier one had. Returns the
  // receiver's id of the message, if it has one; `intent.previous` is that of the episode's first message.
  deliver({ params, intent }, send) {
    const { status, headers, text } = send(0, {
      json: {
        room: params.room,
        title: intent.title,
        text: intent.body,
        urgent: intent.severity === 'critical',
        link: intent.link,
        reply_to: intent.previous?.reference,
      },
      // The same for every attempt, so that the receiver can recognize a repetition.
      headers: { 'Idempotency-Key': intent.id },
    });
    if (status >= 200 && status < 300) return headers.location;
    const reason = `answered ${status}: ${text}`;
    if (status === 429 || status >= 500) throw new Unavailable(reason, Number(headers['retry-after']) * 1_000);
    throw new Refused(reason);
  },
};
