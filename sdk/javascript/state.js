// A fingerprint of the state's layout. JavaScript has no types: it is the shape of what `begin` returns.
import { described } from './log.js';

const BYTES_MAX = 256;

/** Sorted member names with the JSON types of their values: `{hosts:{},since:number}`. */
export function layoutOf(rule) {
  try {
    const params = sample(rule.paramsSchema);
    const layout = shape(JSON.parse(JSON.stringify(rule.begin(rule.read === undefined ? params : rule.read(params)))));
    return layout.length <= BYTES_MAX ? layout : `${layout.slice(0, BYTES_MAX - 9)}#${hash(layout)}`;
  } catch (thrown) {
    throw new Error(
      `\`begin\` fails for sample parameters (${described(thrown)}): give the schema defaults, or set \`stateLayout\``,
    );
  }
}

/** The shape of a JSON value. */
export function shape(value) {
  if (value === null) return 'null';
  if (Array.isArray(value)) return `[${value.length === 0 ? '' : shape(value[0])}]`;
  if (typeof value !== 'object') return typeof value;
  return `{${Object.keys(value)
    .sort()
    .map((name) => `${name}:${shape(value[name])}`)
    .join(',')}}`;
}

/** Parameters that the schema allows, as far as it says in a simple way. */
function sample(schema) {
  if (schema.default !== undefined) return schema.default;
  if (schema.examples?.length > 0) return schema.examples[0];
  if (schema.enum?.length > 0) return schema.enum[0];
  if (schema.const !== undefined) return schema.const;
  switch (Array.isArray(schema.type) ? schema.type[0] : schema.type) {
    case 'object':
      return Object.fromEntries(
        Object.entries(schema.properties ?? {}).map(([name, member]) => [name, sample(member)]),
      );
    case 'array':
      return schema.minItems > 0 ? [sample(schema.items ?? {})] : [];
    case 'string':
      return schema.pattern === undefined ? 'a' : '1m';
    case 'boolean':
      return false;
    default:
      return schema.minimum ?? 1;
  }
}

/** FNV-1a, 32 bits. */
function hash(text) {
  let sum = 0x811c9dc5;
  for (const unit of text) sum = Math.imul(sum ^ unit.codePointAt(0), 0x01000193) >>> 0;
  return sum.toString(16).padStart(8, '0');
}
