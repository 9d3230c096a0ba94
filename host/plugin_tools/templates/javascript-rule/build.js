// Makes dist/plugin-name.wasm of src/component.js. The whole JavaScript engine is in it, about 12 MB.
// package.json names preview2-shim as well: componentize-js reads it, and does not say so.
import { mkdir, writeFile } from 'node:fs/promises';
import { componentize } from '@bytecodealliance/componentize-js';

const { component } = await componentize({
  sourcePath: 'src/component.js',
  witPath: 'wit/watchbell.wit',
  worldName: 'rule-component',
  // A rule imports nothing but `log`: the host refuses a module that wants a clock, randomness or a network.
  disableFeatures: ['random', 'stdio', 'clocks', 'http', 'fetch-event'],
});
await mkdir('dist', { recursive: true });
await writeFile('dist/plugin-name.wasm', component);
