// What a plugin must not use, because a run depends on nothing but its input: each ends the run with a sentence, also
// where the plugin catches what is thrown.
const INSTEAD = {
  clock: 'a plugin has no clock: use the time of a row, of a check or of the message',
  chance: 'a plugin has no randomness: the same input must give the same result',
  timer: 'a plugin has no timers: a run ends when its functions return',
  network: 'a plugin has no network: only alerters send requests, with `send`',
};

const FORBIDDEN = [
  ['Math', 'random', 'chance'],
  ['crypto', 'getRandomValues', 'chance'],
  ['crypto', 'randomUUID', 'chance'],
  ['performance', 'now', 'clock'],
  ['', 'setTimeout', 'timer'],
  ['', 'setInterval', 'timer'],
  ['', 'setImmediate', 'timer'],
  ['', 'fetch', 'network'],
];

let broken;

function refuse(name, why) {
  broken = `\`${name}\` ends the run: ${INSTEAD[why]}`;
  throw new Error(broken);
}

/** What was used since the last call that must not be, as a sentence. */
export function takeBroken() {
  const found = broken;
  broken = undefined;
  return found;
}

/** Puts refusals in place of the forbidden functions. Returns a function that puts everything back. */
export function forbid(world = globalThis) {
  const undo = [];
  const replace = (owner, name, value) => {
    const before = Object.getOwnPropertyDescriptor(owner, name);
    Object.defineProperty(owner, name, {
      value,
      writable: true,
      configurable: true,
      enumerable: before?.enumerable ?? false,
    });
    undo.push(() => (before === undefined ? delete owner[name] : Object.defineProperty(owner, name, before)));
  };
  for (const [owner, name, why] of FORBIDDEN) {
    const place = owner === '' ? world : world[owner];
    if (place !== undefined) replace(place, name, () => refuse(owner === '' ? name : `${owner}.${name}`, why));
  }
  const RealDate = world.Date;
  const isClock = (parts) => parts.length === 0;
  const Guarded = new Proxy(RealDate, {
    construct: (target, parts, made) =>
      isClock(parts) ? refuse('new Date()', 'clock') : Reflect.construct(target, parts, made),
    apply: () => refuse('Date()', 'clock'),
  });
  replace(RealDate, 'now', () => refuse('Date.now', 'clock'));
  replace(RealDate.prototype, 'constructor', Guarded);
  replace(world, 'Date', Guarded);
  return () => undo.reverse().forEach((back) => back());
}
