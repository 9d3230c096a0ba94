// The component's exports. The first import removes what a plugin must not use: keep it first.
import { write } from '../watchbell/component.js';
import { exported } from '../watchbell/rule.js';
import { rule as definition } from './rule.js';

export const rule = exported(definition, write);
