// Builds dist/NAME.wasm from src/component.js; NAME and the kind of plugin are in package.json. The component contains the
// whole JavaScript engine, about 12 MB. componentize-js needs preview2-shim without declaring it.
import { chmod, copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
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
    ...(await world(watchbell.kind)),
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

/**
 * The contract, and its world that the component is built for. componentize-js imports everything of a world, but what an
 * alerter imports says how it delivers: its world has what the source imports and nothing else.
 */
async function world(kind) {
  const contract = 'wit/watchbell.wit';
  if (kind !== 'alerter') return { witPath: contract, worldName: `${kind}-component` };
  const source = await readFile('src/component.js', 'utf8');
  const ways = ['http', 'mail'].filter((name) => source.includes(`'watchbell:plugin/${name}@`));
  const [declared] = (await readFile(contract, 'utf8')).match(/^package .*;$/m);
  const witPath = join(scratch, 'wit');
  await mkdir(witPath);
  await copyFile(contract, join(witPath, 'watchbell.wit'));
  const imports = ['log', ...ways].map((name) => `  import ${name};\n`).join('');
  await writeFile(join(witPath, 'world.wit'), `${declared}\n\nworld built-alerter {\n${imports}  export alerter;\n}\n`);
  return { witPath, worldName: 'built-alerter' };
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
