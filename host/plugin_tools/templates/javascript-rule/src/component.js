// The component's exports. `watchbell:plugin/log` exists only inside the component.
import { write } from 'watchbell:plugin/log@0.1.0';
import { exported } from './contract.js';
import { rule as definition } from './rule.js';

export const rule = exported(definition, write);
