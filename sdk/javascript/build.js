// Builds dist/NAME.wasm from src/component.js; NAME and the kind of plugin are in package.json. The component contains the
// whole JavaScript engine, about 12 MB. componentize-js needs preview2-shim without declaring it.
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { componentize } from '@bytecodealliance/componentize-js';

// componentize-js writes the time into the component, as what its clock would say.
Date.now = () => Date.UTC(2024, 0, 1);

const { name, watchbell } = JSON.parse(await readFile('package.json', 'utf8'));
const scratch = await mkdtemp(join(tmpdir(), 'watchbell-'));
try {
  // componentize-js calls the program `wizer` to run the engine up to the plugin's last top-level line. Ours gives the same
  // component for the same source, on any machine.
  const wizerBin = join(scratch, 'wizer');
  const ours = new URL('snapshot.js', import.meta.url);
  await writeFile(wizerBin, `#!${process.execPath}\nimport(${JSON.stringify(ours.href)});\n`);
  await chmod(wizerBin, 0o755);
  const { component } = await componentize({
    sourcePath: 'src/component.js',
    witPath: 'wit/watchbell.wit',
    worldName: `${watchbell.kind}-component`,
    // A plugin imports nothing of WASI: the host rejects a module that needs a clock, randomness or sockets.
    disableFeatures: ['random', 'stdio', 'clocks', 'http', 'fetch-event'],
    wizerBin,
  });
  await mkdir('dist', { recursive: true });
  await writeFile(`dist/${name}.wasm`, component);
} catch (error) {
  console.error(failed(error));
  process.exitCode = 1;
} finally {
  await rm(scratch, { recursive: true });
}

/** What is wrong with the plugin, without what componentize-js and the engine say around it. */
function failed({ message }) {
  const lines = message
    .split('\n')
    .filter((line) => !/^(Failed to initialize component|Exception while evaluating)/.test(line));
  const end = lines.findIndex((line) => line.startsWith('Additionally, some promises'));
  const told = lines.slice(0, end === -1 ? undefined : end);
  const stack = lines.filter((line) => /^ +.*@src\//.test(line));
  return ['the plugin cannot be built:', ...told, ...stack].join('\n').trimEnd();
}
