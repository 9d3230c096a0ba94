// Answers to questions about a case's documents, as pages of columns.
const GROUPS_MAX = 64;

/** The answers to a round. `matches` are functions of a document's fields, by the Lucene text that they stand for. */
export function answers({ questions }, key, matches, documents) {
  const all = questions.map((question) => rowsOf(question, key, matches, documents));
  return {
    /** Question by question. */
    *pages(size) {
      for (const [number, rows] of all.entries()) yield* paged(rows, size, key).map((page) => [number, page]);
    },
    /** In order of time, at one instant in that of the questions; no page goes past `settled`. */
    *inOrder(size, settled) {
      const merged = all.flatMap((rows, number) => rows.map((row) => ({ ...row, number })));
      merged.sort((one, next) => one.time - next.time || one.number - next.number);
      let run = [];
      for (const row of merged) {
        const [first] = run;
        const isApart =
          first !== undefined &&
          (first.number !== row.number || run.length === size || (first.time < settled && row.time >= settled));
        if (isApart) yield [first.number, page(run, key)];
        if (isApart) run = [];
        run.push(row);
      }
      if (run.length > 0) yield [run[0].number, page(run, key)];
    },
  };
}

/** A member that JSON would change, by its path; undefined if there is none. */
export function kept(value, path = 'state') {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return undefined;
  if (typeof value === 'number') return Number.isFinite(value) ? undefined : `${path} is ${value}`;
  const isPlain =
    Array.isArray(value) || (typeof value === 'object' && Object.getPrototypeOf(value) === Object.prototype);
  if (!isPlain)
    return `${path} is ${value === undefined ? 'undefined' : `a ${value.constructor?.name ?? typeof value}`}`;
  for (const [name, member] of Object.entries(value)) {
    const found = kept(member, `${path}.${name}`);
    if (found !== undefined) return found;
  }
  return undefined;
}

function rowsOf({ over, only, filter, ask }, key, matches, documents) {
  const isIn = ({ time }) => time >= Number(over.start) && time < Number(over.end);
  const isMatched = ({ fields }) =>
    only.every((any) => hasAny(fields, any)) && (filter === undefined || matching(filter, matches)(fields));
  const found = documents.filter((document) => isIn(document) && isMatched(document));
  if (ask.tag === 'hits') return found.flatMap((document) => hitRows(document, ask.val, key, matches));
  if (ask.tag === 'buckets') return bucketRows(found, ask.val, key, matches, Number(over.start));
  throw new Error(
    `the harness has no answers to a question of kind ${ask.tag}: test it with \`watchbell plugin test\``,
  );
}

function hitRows({ time, fields }, { fields: names, filters }, key, matches) {
  const columns = names.map((name) => [name, valuesOf(fields, name)]);
  const named = filters.map(({ name, query }) => [name, [matching(query, matches)(fields)]]);
  return groupsOf(fields, key).map((labels) => ({ time, labels, columns: [...columns, ...named] }));
}

function bucketRows(documents, { by, every, metrics, filters }, key, matches, start) {
  const buckets = new Map();
  for (const { time, fields } of documents) {
    const at = every === undefined ? start : Math.floor(time / Number(every)) * Number(every);
    for (const labels of groupsOf(fields, key)) {
      for (const values of groupsOf(fields, by)) {
        const name = JSON.stringify([at, labels.map(orNull), values.map(orNull)]);
        if (!buckets.has(name)) buckets.set(name, { time: at, labels, values, members: [] });
        buckets.get(name).members.push(fields);
      }
    }
  }
  const rows = [...buckets.values()].map(({ time, labels, values, members }) => ({
    time,
    labels,
    columns: [
      ...by.map((name, index) => [name, values[index] === undefined ? [] : [values[index]]]),
      ['_count', [members.length]],
      ...metrics.map((metric) => [metric.name, measured(metric, members, matches)]),
      ...filters.map(({ name, query }) => [name, [members.filter(matching(query, matches)).length]]),
    ],
  }));
  return rows.sort((one, next) => one.time - next.time);
}

function orNull(value) {
  return value ?? null;
}

function measured({ source, calc, filter }, members, matches) {
  if (source.tag === 'script')
    throw new Error('the harness does not run scripts: test them with `watchbell plugin test`');
  const counted = filter === undefined ? members : members.filter(matching(filter, matches));
  const values = counted.flatMap((fields) => valuesOf(fields, source.val));
  const sorted = [...values].sort((one, next) => one - next);
  const sum = values.reduce((total, value) => total + value, 0);
  switch (calc.tag) {
    case 'value-count':
      return [values.length];
    case 'cardinality':
      return [new Set(values).size];
    case 'sum':
      return [sum];
    case 'percentile':
      return sorted.length === 0
        ? []
        : [sorted[Math.min(sorted.length - 1, Math.floor((calc.val / 100) * sorted.length))]];
    default:
      return sorted.length === 0
        ? []
        : [{ minimum: sorted[0], maximum: sorted.at(-1), average: sum / values.length }[calc.tag]];
  }
}

function matching({ tag, val }, matches) {
  const found = matches[val];
  if (found !== undefined) return found;
  throw new Error(
    `the harness does not read ${tag === 'lucene' ? 'Lucene syntax' : 'queries'}: give the case \`matches: { '${val}': (fields) => … }\``,
  );
}

function hasAny(fields, { field, values }) {
  const found = valuesOf(fields, field).map(String);
  return values.some((value) => (value === undefined ? found.length === 0 : found.includes(value)));
}

/** A field's values, by its literal name or by its path. */
function valuesOf(fields, name) {
  const found = fields[name] ?? name.split('.').reduce((value, part) => value?.[part], fields);
  return (Array.isArray(found) ? found : [found]).filter((value) => value !== undefined && value !== null);
}

/** The combinations of the fields' values, as text; undefined where a field is missing. */
function groupsOf(fields, names) {
  const lists = names
    .map((name) => [...new Set(valuesOf(fields, name).map(String))])
    .map((list) => (list.length === 0 ? [undefined] : list));
  return lists
    .reduce((done, list) => done.flatMap((labels) => list.map((value) => [...labels, value])), [[]])
    .slice(0, GROUPS_MAX);
}

function paged(rows, size, key) {
  const pages = [];
  for (let start = 0; start < rows.length; start += size) pages.push(page(rows.slice(start, start + size), key));
  return pages;
}

/** Rows as a page in the contract's layout. */
export function page(rows, key) {
  const names = rows[0].columns.map(([name]) => name);
  const groups = new Map();
  const numbers = rows.map(({ labels }) => {
    const name = JSON.stringify(labels.map(orNull));
    if (!groups.has(name)) groups.set(name, { number: groups.size, labels });
    return groups.get(name).number;
  });
  const labels = [...groups.values()].map((group) => group.labels);
  return {
    times: BigInt64Array.from(rows, ({ time }) => BigInt(time)),
    columns: names.map((name, index) =>
      column(
        name,
        rows.map(({ columns }) => columns[index][1]),
      ),
    ),
    groups: {
      rows: key.length === 0 ? new Uint32Array() : Uint32Array.from(numbers),
      labels: key.map((field, index) =>
        column(
          field,
          labels.map((values) => (values[index] === undefined ? [] : [values[index]])),
        ),
      ),
    },
  };
}

/** A column of any number of values per row. */
export function column(field, rows) {
  const isList = rows.some((row) => row.length > 1);
  const isFull = rows.every((row) => row.length > 0);
  const present = new Uint8Array(isList || isFull ? 0 : Math.ceil(rows.length / 8));
  if (present.length > 0)
    rows.forEach((row, index) => (present[index >> 3] |= (row.length > 0 ? 1 : 0) << (index & 7)));
  let end = 0;
  const offsets = isList ? Uint32Array.from([0, ...rows.map((row) => (end += row.length))]) : new Uint32Array();
  const flat = isList ? rows.flat() : rows.map(([value]) => value);
  return { field, isMapped: !rows.every((row) => row.length === 0), values: packed(field, flat), present, offsets };
}

function packed(field, flat) {
  const known = flat.filter((value) => value !== undefined);
  const all = (test) => known.length > 0 && known.every(test);
  const isWhole = (value) => typeof value === 'bigint' || Number.isSafeInteger(value);
  if (all(isWhole)) return { tag: 'integers', val: BigInt64Array.from(flat, (value) => BigInt(value ?? 0)) };
  if (all((value) => typeof value === 'number'))
    return { tag: 'numbers', val: Float64Array.from(flat, (value) => value ?? 0) };
  if (all((value) => typeof value === 'boolean')) return { tag: 'booleans', val: Uint8Array.from(flat, Number) };
  if (all((value) => typeof value?.latitude === 'number')) {
    const part = (name) => Float64Array.from(flat, (value) => value?.[name] ?? 0);
    return { tag: 'points', val: { latitudes: part('latitude'), longitudes: part('longitude') } };
  }
  if (known.every((value) => typeof value === 'string')) return { tag: 'words', val: dictionary(flat, known) };
  throw new Error(`the documents' \`${field}\` has mixed types, which no mapping allows`);
}

function dictionary(flat, known) {
  const encoder = new TextEncoder();
  const words = new Map([...new Set(known)].map((word, number) => [word, number]));
  let end = 0;
  const ends = Uint32Array.from(words.keys(), (word) => (end += encoder.encode(word).length));
  return {
    codes: Uint32Array.from(flat, (value) => words.get(value) ?? 0),
    ends,
    bytes: encoder.encode([...words.keys()].join('')),
  };
}
