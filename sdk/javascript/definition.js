// A plugin's definition and its functions: every fault is a sentence that says what to do.
import { described, log, traceOf } from './log.js';
import { takeBroken } from './sandbox.js';
import { shown } from './time.js';

/** The definition, if it has all members and no other. */
export function checked(kind, definition, members) {
  const faults = [];
  if (typeof definition !== 'object' || definition === null)
    throw new Error(`the ${kind} must be an object, not ${shown(definition)}`);
  for (const [name, [type, what, isOptional]] of Object.entries(members)) {
    const value = definition[name];
    if (value === undefined && isOptional) continue;
    if (value === undefined) faults.push(`\`${name}\` is missing: ${what}`);
    else if (typeof value !== type || value === null)
      faults.push(`\`${name}\` must be ${type === 'object' ? 'an' : 'a'} ${type}, not ${shown(value)}: ${what}`);
  }
  for (const name of Object.keys(definition)) {
    if (!(name in members)) faults.push(`\`${name}\` is no member of a ${kind}${nearest(name, Object.keys(members))}`);
  }
  if (faults.length > 0) throw new Error(`the ${kind} is not complete: ${faults.join('; ')}`);
  return definition;
}

function nearest(name, members) {
  const lower = name.toLowerCase().replaceAll('_', '');
  const close = members.find((member) => distance(member.toLowerCase(), lower) <= 2);
  return close === undefined ? `: it has ${members.join(', ')}` : `: did you mean \`${close}\`?`;
}

function distance(one, other) {
  let row = Array.from({ length: other.length + 1 }, (_, index) => index);
  for (let i = 1; i <= one.length; i++) {
    const next = [i];
    for (let j = 1; j <= other.length; j++) {
      next.push(Math.min(next[j - 1] + 1, row[j] + 1, row[j - 1] + (one[i - 1] === other[j - 1] ? 0 : 1)));
    }
    row = next;
  }
  return row.at(-1);
}

/** What a function returned, unless it is a promise: nothing waits for it. */
export function finished(value, name) {
  if (typeof value?.then === 'function')
    throw new Error(
      `\`${name}\` returned a promise: it must not be async, because a run ends when its functions return`,
    );
  return value;
}

/** Does the work. What it throws is logged, and thrown as the contract's problem with file and line. */
export function guarded(what, work, pass = passProblem) {
  let problem;
  try {
    const result = work();
    const broken = takeBroken();
    if (broken === undefined) return result;
    problem = broken;
  } catch (thrown) {
    const passed = pass(thrown);
    if (passed !== undefined) throw passed;
    takeBroken();
    problem = described(thrown);
    log.error(`${what}: ${problem}${traceOf(thrown)}`);
    throw { tag: 'other', val: problem };
  }
  log.error(`${what}: ${problem}`);
  throw { tag: 'other', val: problem };
}

function passProblem(thrown) {
  return typeof thrown?.tag === 'string' && typeof thrown.val === 'string' ? thrown : undefined;
}
