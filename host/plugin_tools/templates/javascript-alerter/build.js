// Builds dist/plugin-name.wasm from src/component.js. It contains the whole JavaScript engine, about 12 MB.
// package.json lists preview2-shim too: componentize-js needs it without declaring it.
import { mkdir, writeFile } from 'node:fs/promises';
import { componentize } from '@bytecodealliance/componentize-js';

const { component } = await componentize({
  sourcePath: 'src/component.js',
  witPath: 'wit/watchbell.wit',
  worldName: 'alerter-component',
  // An alerter imports `log` and `http`: the host rejects one that needs a clock, randomness or sockets.
  disableFeatures: ['random', 'stdio', 'clocks', 'http', 'fetch-event'],
});
await mkdir('dist', { recursive: true });
await writeFile('dist/plugin-name.wasm', component);
