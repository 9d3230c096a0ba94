// The component's exports. The imports exist only inside the component.
import { send } from 'watchbell:plugin/http@0.1.0';
import { write } from 'watchbell:plugin/log@0.1.0';
import { alerter as definition } from './alerter.js';
import { exported } from './contract.js';

export const alerter = exported(definition, send, write);
