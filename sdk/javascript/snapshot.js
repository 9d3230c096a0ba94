// Takes the place of the program `wizer` in componentize-js: runs an engine up to the plugin's last top-level line, and
// writes it with the memory that it has then. The program gives the engine the machine's clock, randomness and paths, so
// that no two builds are the same; here all of these are fixed.
import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { readModule, writeModule } from './snapshot/module.js';

// node:wasi warns that it is experimental.
process.emitWarning = () => {};
const { WASI } = await import('node:wasi');

const INIT = 'componentize.wizer';
/** Where the engine finds the initializer of componentize-js, and the project. */
const INITIALIZER = '/build';
const PROJECT = '/';
const SETTINGS = /^(DEBUG$|SOURCE_NAME$|FEATURE_|EXPORT|IMPORT)/;
/** The engine's clock begins at 2024-01-01T00:00:00Z. */
const EPOCH_NANOS = 1_704_067_200_000_000_000n;
const FILE_TIMES_AT = 40;

const given = process.argv.slice(2);
const option = (name) => given.find((part) => part.startsWith(`${name}=`))?.slice(name.length + 1);
const [input, output] = [given.at(-1), option('-o')];
const [scripts, project] = [option('--dir'), option('--mapdir').replace('/::', '')];
const source = /--strip-path-prefix .*\/ (\S+)\s*$/.exec(readFileSync(0, 'utf8'))[1];
const line = join(dirname(input), 'line');
writeFileSync(line, `--initializer-script-path ${INITIALIZER}/initializer.js --strip-path-prefix ${PROJECT} ${source}`);

const stdin = openSync(line);
const wasi = new WASI({
  version: 'preview1',
  args: [],
  env: Object.fromEntries(Object.entries(process.env).filter(([name]) => SETTINGS.test(name))),
  preopens: { [INITIALIZER]: scripts, [PROJECT]: project },
  stdin,
  returnOnExit: true,
});

const module = readModule(readFileSync(input));
const compiled = await WebAssembly.compile(module.instrumented);
const { exports } = await WebAssembly.instantiate(compiled, imports(compiled));
wasi.initialize({ exports });
try {
  exports[INIT]();
} catch (thrown) {
  // The engine exits after it has said what is wrong; a call of an import throws.
  if (thrown instanceof Error) console.error(thrown.message);
  process.exit(1);
}
closeSync(stdin);
writeFileSync(output, writeModule(module, exports, [INIT, '_initialize']));

function imports(compiled) {
  const all = {};
  for (const { module: place, name } of WebAssembly.Module.imports(compiled)) {
    (all[place] ??= {})[name] = () => {
      throw new Error(
        `\`${place}\` \`${name}\` is called while the component is built: call it in a function of the plugin`,
      );
    };
  }
  Object.assign(all.wasi_snapshot_preview1, fixed(wasi.wasiImport));
  return all;
}

/** WASI, without what differs between two builds. */
function fixed(real) {
  const view = () => new DataView(exports.memory.buffer);
  let now = EPOCH_NANOS;
  let chance = 0x9e3779b9;
  const withoutTimes = (stat, at) => {
    if (stat !== 0) return stat;
    for (const place of [0, 8, FILE_TIMES_AT, FILE_TIMES_AT + 8, FILE_TIMES_AT + 16])
      view().setBigUint64(at + place, 0n, true);
    return 0;
  };
  return {
    ...real,
    clock_time_get: (_clock, _precision, at) => {
      view().setBigUint64(at, (now += 1_000n), true);
      return 0;
    },
    random_get: (at, length) => {
      for (let index = 0; index < length; index++) {
        chance = (Math.imul(chance, 1_664_525) + 1_013_904_223) >>> 0;
        view().setUint8(at + index, chance >>> 24);
      }
      return 0;
    },
    fd_filestat_get: (fd, at) => withoutTimes(real.fd_filestat_get(fd, at), at),
    path_filestat_get: (fd, flags, path, length, at) =>
      withoutTimes(real.path_filestat_get(fd, flags, path, length, at), at),
  };
}
