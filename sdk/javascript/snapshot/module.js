// A WebAssembly module, as far as it takes to write it again with the memory and the globals of a running instance.
const SECTION = { import: 2, memory: 5, global: 6, export: 7, start: 8, data: 11, dataCount: 12 };
const MAGIC_BYTES = 8;
const PAGE_BYTES = 65_536;
/** Zeros between two segments of data that are worth a new segment. */
const GAP_BYTES = 64;
const TYPES = { i32: 0x7f, i64: 0x7e, f32: 0x7d, f64: 0x7c };
const CONST = { [TYPES.i32]: 0x41, [TYPES.i64]: 0x42, [TYPES.f32]: 0x43, [TYPES.f64]: 0x44 };
const END = 0x0b;
const KIND_GLOBAL = 3;
/** The name of an added export: the number of a global. */
const added = (index) => `watchbell-global-${index}`;

class Reader {
  constructor(bytes, at = 0) {
    this.bytes = bytes;
    this.at = at;
  }

  byte() {
    return this.bytes[this.at++];
  }

  unsigned() {
    let [result, shift, byte] = [0, 1, 0];
    do {
      byte = this.byte();
      result += (byte & 0x7f) * shift;
      shift *= 128;
    } while (byte >= 0x80);
    return result;
  }

  name() {
    const length = this.unsigned();
    return new TextDecoder().decode(this.bytes.subarray(this.at, (this.at += length)));
  }

  list(item) {
    return Array.from({ length: this.unsigned() }, () => item());
  }

  limits() {
    const flags = this.byte();
    return { flags, min: this.unsigned(), max: flags & 1 ? this.unsigned() : undefined };
  }
}

/** The module's sections, and the module with its mutable globals exported. */
export function readModule(bytes) {
  const reader = new Reader(bytes, MAGIC_BYTES);
  const sections = [];
  while (reader.at < bytes.length) {
    const id = reader.byte();
    const length = reader.unsigned();
    sections.push({ id, body: bytes.subarray(reader.at, (reader.at += length)) });
  }
  const body = (id) => sections.find((section) => section.id === id)?.body ?? Uint8Array.of(0);
  refuseOtherImports(new Reader(body(SECTION.import)));
  const globals = globalsOf(new Reader(body(SECTION.global)));
  const exported = exportsOf(new Reader(body(SECTION.export)));
  const more = globals.flatMap(({ isMutable }, index) =>
    isMutable ? [{ name: added(index), kind: KIND_GLOBAL, index }] : [],
  );
  const module = { head: bytes.subarray(0, MAGIC_BYTES), sections, globals, exported };
  const instrumented = assemble(
    module.head,
    sections.map((section) =>
      section.id === SECTION.export ? { id: section.id, body: exportSection([...exported, ...more]) } : section,
    ),
  );
  return { ...module, instrumented };
}

/** The module as the instance is now, without the exports of these names. */
export function writeModule({ head, sections, globals, exported }, instance, without) {
  const memory = new Uint8Array(instance.memory.buffer);
  const changed = {
    [SECTION.memory]: (body) => memorySection(body, memory.length / PAGE_BYTES),
    [SECTION.global]: () => globalSection(globals, instance),
    [SECTION.export]: () => exportSection(exported.filter(({ name }) => !without.includes(name))),
    [SECTION.data]: (body) => dataSection(body, memory),
  };
  const kept = sections.filter(({ id }) => id !== SECTION.start && id !== SECTION.dataCount);
  return assemble(
    head,
    kept.map(({ id, body }) => ({ id, body: changed[id]?.(body) ?? body })),
  );
}

/** Imported globals would come before the module's own, and no engine has them. */
function refuseOtherImports(reader) {
  reader.list(() => {
    reader.name();
    reader.name();
    const kind = reader.byte();
    if (kind !== 0) throw new Error(`the engine imports something of kind ${kind}, not only functions`);
    reader.unsigned();
  });
}

function globalsOf(reader) {
  return reader.list(() => {
    const type = reader.byte();
    const isMutable = reader.byte() === 1;
    const start = reader.at;
    skipConstant(reader);
    return { type, isMutable, initial: reader.bytes.subarray(start, reader.at) };
  });
}

function skipConstant(reader) {
  for (let code = reader.byte(); code !== END; code = reader.byte()) {
    if (code === 0x43) reader.at += 4;
    else if (code === 0x44) reader.at += 8;
    else if (code === 0x41 || code === 0x42 || code === 0x23 || code === 0xd2) reader.unsigned();
    else if (code === 0xd0) reader.byte();
    else throw new Error(`the engine begins a global with the instruction ${code}, which is not known here`);
  }
}

function exportsOf(reader) {
  return reader.list(() => ({ name: reader.name(), kind: reader.byte(), index: reader.unsigned() }));
}

function exportSection(exported) {
  const encoder = new TextEncoder();
  return concat([
    unsigned(exported.length),
    ...exported.flatMap(({ name, kind, index }) => {
      const bytes = encoder.encode(name);
      return [unsigned(bytes.length), bytes, Uint8Array.of(kind), unsigned(index)];
    }),
  ]);
}

function memorySection(body, pages) {
  const reader = new Reader(body);
  const [{ flags, max }, ...others] = reader.list(() => reader.limits());
  if (others.length > 0) throw new Error('the engine has more than one memory');
  return concat([unsigned(1), Uint8Array.of(flags), unsigned(pages), ...(max === undefined ? [] : [unsigned(max)])]);
}

function globalSection(globals, instance) {
  return concat([
    unsigned(globals.length),
    ...globals.flatMap(({ type, isMutable, initial }, index) => {
      const value = isMutable ? constant(type, instance[added(index)].value) : initial;
      return [Uint8Array.of(type, isMutable ? 1 : 0), value];
    }),
  ]);
}

function constant(type, value) {
  const float = new DataView(new ArrayBuffer(8));
  if (type === TYPES.f32) float.setFloat32(0, value, true);
  if (type === TYPES.f64) float.setFloat64(0, value, true);
  const bytes = { [TYPES.f32]: 4, [TYPES.f64]: 8 }[type];
  const operand = bytes === undefined ? signed(BigInt(value)) : new Uint8Array(float.buffer, 0, bytes);
  return concat([Uint8Array.of(CONST[type]), operand, Uint8Array.of(END)]);
}

/** What is not zero in memory, instead of the segments that it began with. */
function dataSection(before, memory) {
  const kinds = new Reader(before);
  if (kinds.unsigned() > 0 && kinds.unsigned() !== 0)
    throw new Error('the engine has data that is not placed in its memory');
  const segments = [];
  const words = new Uint32Array(memory.buffer);
  for (let at = 0; at < words.length; ) {
    while (at < words.length && words[at] === 0) at++;
    const start = at;
    let zeros = 0;
    while (at < words.length && zeros < GAP_BYTES / 4) zeros = words[at++] === 0 ? zeros + 1 : 0;
    if (start < at - zeros) segments.push([start * 4, (at - zeros) * 4]);
  }
  const parts = segments.flatMap(([start, end]) => [
    Uint8Array.of(0, 0x41),
    signed(BigInt(start)),
    Uint8Array.of(END),
    unsigned(end - start),
    memory.subarray(start, end),
  ]);
  return concat([unsigned(segments.length), ...parts]);
}

function assemble(head, sections) {
  return concat([head, ...sections.flatMap(({ id, body }) => [Uint8Array.of(id), unsigned(body.length), body])]);
}

function unsigned(value) {
  const bytes = [];
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return Uint8Array.from([...bytes, rest]);
    bytes.push(rest % 128 | 0x80);
  }
}

function signed(value) {
  const bytes = [];
  for (let rest = value; ; rest >>= 7n) {
    const byte = Number(rest & 0x7fn);
    if (rest >= -64n && rest < 64n) return Uint8Array.from([...bytes, byte]);
    bytes.push(byte | 0x80);
  }
}

function concat(parts) {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
