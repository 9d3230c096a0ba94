// The component's exports. The first import removes what a plugin must not use: keep it first.
import { write } from '../watchbell/component.js';
import { send } from 'watchbell:plugin/http@0.2.0';
import { exported } from '../watchbell/alerter.js';
import { alerter as definition } from './alerter.js';

export const alerter = exported(definition, send, write);
