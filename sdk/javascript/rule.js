// Adapts a rule's definition to the contract: the exports of the interface `rule`.
import { described, log, setSink } from './log.js';
import { checked, finished, guarded } from './definition.js';
import { Question, hits } from './questions.js';
import { Groups, Row, timesOf } from './rows.js';
import { Signals } from './signals.js';
import { layoutOf } from './state.js';
import { millis, shown } from './time.js';

export { log } from './log.js';
export { buckets, cluster, hits, search } from './questions.js';
export { labelsOf } from './rows.js';
export { duration, instant, spelled } from './time.js';

const MEMBERS = {
  name: ['string', 'the name that manifests write after `use:`'],
  version: ['string', 'the version of the plugin'],
  summary: ['string', 'one sentence for people'],
  stateVersion: ['number', 'a whole number, increased when the meaning of the state changes'],
  paramsSchema: ['object', 'the JSON Schema of the parameters'],
  begin: ['function', '`begin(params)` returns the state before the first row'],
  row: ['function', '`row(params, state, row, signals)` takes in a row'],
  stateLayout: ['string', 'a fingerprint of the state, changed when members of it change', true],
  read: ['function', '`read(params)` prepares the parameters', true],
  plan: ['function', '`plan(params, context)` returns { history, grid }', true],
  fields: ['function', '`fields(params)` lists the fields of the default question', true],
  questions: ['function', '`questions(params, over, context, state, round)` returns the questions', true],
  scout: ['function', '`scout(params, state, row)` takes in a row of a scouting round', true],
  check: ['function', '`check(params, state, at, signals)` runs at every point of the grid', true],
  settle: ['function', '`settle(params, state, at)` drops what is no longer needed', true],
};

const QUESTIONS_MAX = 64;
const NOTHING_LEFT = Number.POSITIVE_INFINITY;
const encoder = new TextEncoder();

/** The exports for a definition. `write` takes a level and a line for the log. Throws where the definition is wrong. */
export function exported(definition, write) {
  setSink(write);
  const rule = checked('rule', definition, MEMBERS);
  if (!Number.isInteger(rule.stateVersion) || rule.stateVersion < 0)
    throw new Error(`\`stateVersion\` must be a whole number, not ${shown(rule.stateVersion)}`);
  const layout = rule.stateLayout ?? layoutOf(rule);

  class Run {
    static start(call) {
      return guarded('starting', () => new Run(call));
    }

    constructor({ params, context, state, window }) {
      this.params = read(rule, params);
      this.context = given(context);
      this.over = { start: Number(window.start), end: Number(window.end) };
      this.settled = Number(window.settled);
      const { grid } = planned(rule, this.params, this.context);
      this.grid = rule.check === undefined ? undefined : grid;
      // Checks count back from the end; the state includes those up to the start.
      const phase = this.grid === undefined ? 0 : (this.over.end - this.over.start) % this.grid;
      this.nextCheck = this.grid === undefined ? NOTHING_LEFT : this.over.start + (phase === 0 ? this.grid : phase);
      this.state = state === undefined ? begun(rule, this.params) : stored(state);
      this.round = 0;
      this.isScouting = false;
      this.groups = new Groups();
      this.signals = new Signals(this.context.key);
    }

    questions() {
      return guarded('`questions`', () => {
        const asked = this.ask(this.round);
        this.round += 1;
        this.isScouting = asked.isScouting;
        return asked.questions.length === 0
          ? undefined
          : { ...asked, questions: asked.questions.map((question) => question.wire()) };
      });
    }

    ask(round) {
      if (rule.questions === undefined)
        return { questions: round === 0 ? [this.everyDocument()] : [], isScouting: false };
      const found = finished(
        rule.questions(this.params, { ...this.over }, this.context, this.state, round),
        'questions',
      );
      const questions = (Array.isArray(found) ? found : found?.questions) ?? [];
      const isScouting = !Array.isArray(found) && found?.scouting === true;
      const isList = Array.isArray(questions) && questions.every((question) => question instanceof Question);
      if (!isList) {
        throw new Error(
          `\`questions\` must return a list of hits(…), buckets(…), search(…) or cluster(…), or { questions, scouting: true }, not ${shown(found)}`,
        );
      }
      if (questions.length > QUESTIONS_MAX)
        throw new Error(`\`questions\` returned ${questions.length} questions; a round has at most ${QUESTIONS_MAX}`);
      if (isScouting && questions.length > 0 && rule.scout === undefined) {
        throw new Error(
          'a scouting round needs the function `scout(params, state, row)`: its rows are not passed to `row`',
        );
      }
      return { questions, isScouting };
    }

    everyDocument() {
      const fields = rule.fields === undefined ? [] : finished(rule.fields(this.params), 'fields');
      if (!Array.isArray(fields)) throw new Error(`\`fields\` must return a list of field names, not ${shown(fields)}`);
      return fields.reduce((question, field) => question.field(field), hits(this.over));
    }

    answer(question, page) {
      return guarded(this.isScouting ? '`scout`' : '`row`', () => this.fold(page, new Row(page, question)));
    }

    // What is done for each row costs about 0.1 µs an operation: the engine interprets.
    fold(page, row) {
      const { params, state, signals, isScouting } = this;
      const { rows, labels } = page.groups;
      const { base, parts, step } = timesOf(page.times);
      const count = page.times.length;
      const hasGroups = rows.length > 0;
      const groupOf = this.groups.page(labels);
      const groups = [];
      let last = -1;
      let barrier = isScouting ? NOTHING_LEFT : this.nextCheck;
      row.key = this.groups.all.key;
      row.labels = this.groups.all.labels;
      for (let index = 0, at = 0; index < count; index++, at += step) {
        const time = base + parts[at];
        if (hasGroups) {
          const number = rows[index];
          if (number !== last) {
            last = number;
            const group = groups[number] ?? (groups[number] = groupOf(number));
            row.key = group.key;
            row.labels = group.labels;
          }
        }
        if (time >= barrier) {
          this.checkUntil(time);
          barrier = this.nextCheck;
        }
        row.index = index;
        row.time = time;
        const returned = isScouting ? rule.scout(params, state, row) : rule.row(params, state, row, signals);
        if (returned !== undefined) finished(returned, isScouting ? 'scout' : 'row');
      }
    }

    /** Runs the checks up to and including `time`. */
    checkUntil(time) {
      while (this.nextCheck <= time) {
        finished(rule.check(this.params, this.state, this.nextCheck, this.signals), 'check');
        this.nextCheck += this.grid;
      }
    }

    snapshot() {
      return guarded('the snapshot', () => {
        this.checkUntil(this.settled);
        if (rule.settle !== undefined) finished(rule.settle(this.params, this.state, this.settled), 'settle');
        return encoder.encode(written(this.state));
      });
    }

    finish() {
      return guarded('`check`', () => {
        this.checkUntil(this.over.end);
        return { signals: this.signals.taken() };
      });
    }
  }

  return {
    describe: () => ({
      name: rule.name,
      version: rule.version,
      summary: rule.summary,
      paramsSchema: JSON.stringify(rule.paramsSchema),
      stateVersion: rule.stateVersion,
      stateLayout: layout,
    }),
    prepare: (params, context) => {
      try {
        const { history, grid } = guarded(
          '`plan`',
          () => planned(rule, read(rule, params), given(context)),
          passFaults,
        );
        return { history: BigInt(history), grid: grid === undefined ? undefined : BigInt(grid) };
      } catch (thrown) {
        throw Array.isArray(thrown) ? thrown : [{ path: '', message: thrown.val }];
      }
    },
    Run,
  };
}

/** A list of faults that the rule threw itself. */
function passFaults(thrown) {
  if (!Array.isArray(thrown)) return undefined;
  const isFault = (fault) => typeof fault?.path === 'string' && typeof fault?.message === 'string';
  if (thrown.every(isFault)) return thrown.map(({ path, message }) => ({ path, message }));
  const sentence = `\`plan\` must throw a list of faults { path, message } with texts, not ${shown(thrown)}`;
  log.error(sentence);
  return [{ path: '', message: sentence }];
}

function read(rule, params) {
  const parsed = JSON.parse(params);
  return rule.read === undefined ? parsed : finished(rule.read(parsed), 'read');
}

function given({ key, every, lateness, indices }) {
  return { key, every: every === undefined ? undefined : Number(every), lateness: Number(lateness), indices };
}

function planned(rule, params, context) {
  const plan = rule.plan === undefined ? {} : finished(rule.plan(params, context), 'plan');
  if (typeof plan !== 'object' || plan === null)
    throw new Error(`\`plan\` must return { history, grid }, not ${shown(plan)}`);
  for (const member in plan) {
    if (member !== 'history' && member !== 'grid')
      throw new Error(`\`plan\` returned the unknown member \`${member}\`: there are \`history\` and \`grid\``);
  }
  const grid = plan.grid === undefined || plan.grid === null ? undefined : millis(plan.grid, '`grid`', 1);
  if (rule.check !== undefined && grid === undefined)
    throw new Error('the rule has `check`, but `plan` returned no `grid`: return the interval between checks');
  if (rule.check === undefined && grid !== undefined)
    throw new Error('`plan` returned a `grid`, but the rule has no function `check(params, state, at, signals)`');
  return { history: millis(plan.history ?? 0, '`history`', 0), grid };
}

function begun(rule, params) {
  const state = finished(rule.begin(params), 'begin');
  if (typeof state !== 'object' || state === null)
    throw new Error(`\`begin\` must return an object or a list, which functions change in place, not ${shown(state)}`);
  return state;
}

function stored(bytes) {
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch (thrown) {
    throw { tag: 'state', val: `the state cannot be read: ${described(thrown)}` };
  }
}

function written(state) {
  try {
    return JSON.stringify(state);
  } catch (thrown) {
    throw new Error(`the state must be a JSON value; keep integers beyond 2^53 as text: ${thrown.message}`);
  }
}
