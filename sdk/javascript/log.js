// The host's log. `console` writes to it as well.
let sink = () => {};

/** A file and a line in a stack. */
const PLACE = /((?:[^\s(@:]|:(?=\/\/))+\.m?js):([0-9]+)/;
const TRACE_LINES_MAX = 12;
const LEVELS = ['error', 'warn', 'info', 'debug', 'trace'];

/** `log.info('text', value)` and so on: a line of the host's log. */
export const log = Object.fromEntries(
  LEVELS.map((level) => [level, (...parts) => sink(level, parts.map(text).join(' '))]),
);

/** Says where lines go: to the host, or to a list in tests. */
export function setSink(write) {
  sink = write;
}

/** A `console` that writes to the log. */
export const console = { ...log, log: log.info };

function text(part) {
  if (typeof part === 'string') return part;
  if (part instanceof Error) return described(part);
  try {
    return JSON.stringify(part) ?? String(part);
  } catch {
    return String(part);
  }
}

/** The message of what was thrown, with the file and line of the plugin that threw it: `not a number (src/rule.js:12)`. */
export function described(thrown) {
  if (!(thrown instanceof Error)) return `something that is no Error was thrown: ${text(thrown)}`;
  const message = thrown.message === '' ? thrown.name : thrown.message;
  const kind = thrown.name === 'Error' || message.startsWith(thrown.name) ? '' : `${thrown.name}: `;
  const place = placeOf(thrown);
  return `${kind}${message}${place === undefined ? '' : ` (${place})`}`;
}

/** The calls that led to what was thrown, the newest first, each on a line of its own. */
export function traceOf(thrown) {
  const lines = String(thrown?.stack ?? '')
    .split('\n')
    .filter((line) => PLACE.test(line));
  return lines
    .slice(0, TRACE_LINES_MAX)
    .map((line) => `\n${line}`)
    .join('');
}

/** The first line of the stack outside of this folder, as both engines write it: `row@src/rule.js:1:2`, `at row (/src/rule.js:1:2)`. */
function placeOf({ stack }) {
  for (const line of String(stack ?? '').split('\n')) {
    const found = PLACE.exec(line);
    if (
      found === null ||
      /(^|\/)(watchbell|sdk\/javascript)\/[^/]+$/.test(found[1]) ||
      found[1].endsWith('initializer.js')
    )
      continue;
    const [, file, number] = found;
    return `${/(?:^|\/)((?:src|test)\/.*)$/.exec(file)?.[1] ?? file}:${number}`;
  }
  return undefined;
}
