// Instants and durations, in whole milliseconds.
const UNITS = { d: 86_400_000, h: 3_600_000, m: 60_000, s: 1_000, ms: 1 };
const DURATION = /([0-9]+)(ms|[smhdw])/g;

/** Milliseconds of a text such as `90s` or `1h30m`; throws where it is none. */
export function duration(text) {
  if (typeof text !== 'string' || !/^([0-9]+(ms|[smhdw]))+$/.test(text)) {
    throw new Error(`\`${text}\` is not a duration: write, for example, \`90s\`, \`5m\` or \`1h30m\``);
  }
  let millis = 0;
  for (const [, digits, unit] of text.matchAll(DURATION))
    millis += Number(digits) * (unit === 'w' ? 7 * UNITS.d : UNITS[unit]);
  if (!Number.isSafeInteger(millis)) throw new Error(`\`${text}\` is longer than a duration can be`);
  return millis;
}

/** The text of so many milliseconds: `1h30m`, `0s`. */
export function spelled(millis) {
  if (millis === 0) return '0s';
  let rest = millis;
  let text = '';
  for (const [unit, size] of Object.entries(UNITS)) {
    if (rest >= size) text += `${Math.floor(rest / size)}${unit}`;
    rest %= size;
  }
  return text;
}

/** An instant for people: `2024-01-01T00:00:00.000Z`. */
export function instant(millis) {
  return new Date(millis).toISOString();
}

/** Milliseconds that a rule gave as a whole number or as text; `name` is what they are, for the sentence. */
export function millis(given, name, min) {
  if (typeof given === 'string') return millis(duration(given), name, min);
  if (typeof given !== 'number' || !Number.isSafeInteger(given) || given < min) {
    const wanted = min === 0 ? 'whole milliseconds, 0 or more' : 'whole milliseconds, 1 or more';
    throw new Error(`${name} must be ${wanted}, or a text such as \`5m\`, not ${shown(given)}`);
  }
  return given;
}

/** A value in a sentence, in a few words. */
export function shown(value) {
  if (typeof value === 'function') return 'a function';
  if (typeof value === 'bigint') return `${value}n`;
  if (value instanceof Promise) return 'a promise';
  const text = typeof value === 'object' && value !== null ? JSON.stringify(value) : String(value);
  return typeof value === 'string' ? `\`${cut(text)}\`` : cut(text);
}

function cut(text) {
  return text.length > 80 ? `${text.slice(0, 79)}…` : text;
}
