// Comes first in a component: what a plugin must not use refuses from its first line on.
import { write } from 'watchbell:plugin/log@0.2.0';
import { console, setSink } from './log.js';
import { forbid } from './sandbox.js';

setSink(write);
globalThis.console = console;
forbid();

export { write };
