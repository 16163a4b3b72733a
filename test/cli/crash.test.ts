import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { runCli } from '../../src/cli/cli.ts';
import { messageOf } from '../../src/errors.ts';
import { RunFolder } from '../../src/jobs/node.ts';
import { settle } from '../../src/models/node.ts';
import { writeSafetensors } from '../../src/tensors/node.ts';
import { type Break, breakFs, type FsCall } from '../support/broken-fs.ts';
import { slothful, slothfulHere } from '../support/cli.ts';
import { fixturePath } from '../support/fixtures.ts';
import { pipelineFolder } from '../support/pipeline-goldens.ts';
import { temporaryFolder } from '../support/temporary.ts';

/**
 * Every command that writes, broken at every call that changes something: killed before it, in its middle and after it, on a
 * disk that is full from there on, and on one that cannot be written from there on. Whatever comes, under the name is
 * then the old or the new, whole; the next reader finds it, and the next command leaves nothing beside it.
 */
const test = suite('crashes');

const base = temporaryFolder();
const at = (name: string) => join(base, name);
/** Above what Linux gives: no process ever has it. Each command line has one of its own. */
let deadPid = 2 ** 22 + 9;

/** A command line, or what it comes to without what computes. */
type Action = string[] | (() => Promise<unknown>);

interface Scenario {
  readonly title: string;
  /** Name in the folder of the case. */
  readonly target: string;
  /** What makes what is there before; nothing is where it is left out. */
  readonly old?: (folder: string) => Action;
  readonly next: (folder: string) => Action;
  /** What may be seen after a break besides the old and the new: what is done of a run that replaces nothing. */
  readonly showsParts?: boolean;
  /** Kills at its renames are enough: what it writes goes the way of another scenario, and it computes more. */
  readonly isLong?: boolean;
}

/** What `run` does with its folder: previews, latents before they are decoded, pictures, the record twice. */
const fillFolder =
  (folder: string, prompt: string, force = false) =>
  async () => {
    const out = await RunFolder.open(join(folder, 'out'), { name: 'run', record: 'run.json', force });
    const record = () => ({ schema: 'slothful-run/1', prompt, files: [...out.files] });
    const work = async () => {
      await out.write('preview-1.png', prompt.repeat(50));
      const latents = { shape: [prompt.length], data: new Float32Array(prompt.length) };
      await out.writeTensors('latents.safetensors', new Map([['latents', latents]]));
      await out.finish(record());
      await out.write('picture-3.png', prompt.repeat(70));
      await out.finish(record());
    };
    await out.during(work, () => true);
  };

const run = (folder: string, prompt: string, ...more: string[]) => {
  const what = ['--prompt', prompt, '--steps', '1', '--seed', '3', '--preview', '1', '--guidance-scale', '1'];
  return ['run', at('plain'), ...what, '--backend', 'wasm', '--out', join(folder, 'out'), ...more];
};
const sweep = (folder: string, prompt: string, ...more: string[]) => {
  const what = ['--prompt', prompt, '--steps', '1', '--guidance-scale', '1', '--x', 'in_strength=3'];
  return ['sweep', at('plain'), ...what, '--backend', 'wasm', '--out', join(folder, 'out'), ...more];
};
const predict = (folder: string, timestep: string) => {
  const files = ['--inputs', at('in.safetensors'), '--out', join(folder, 'out.safetensors'), '--force'];
  return ['predict', at('plain'), ...files, '--timestep', timestep, '--backend', 'wasm'];
};
const inspect = (folder: string, size: string) => {
  return ['inspect', at('plain'), '--size', size, '--html', join(folder, 'page.html'), '--force'];
};
const convert = (folder: string, ...more: string[]) => {
  return ['convert', fixturePath('demo'), join(folder, 'out'), '--data-space', 'premultiplied-rgba', ...more];
};
const patch = (model: string, folder: string, strength: string) => {
  return ['patch', at(model), join(folder, 'out'), '--in-strength', strength, '--force'];
};

const SCENARIOS: readonly Scenario[] = [
  { title: 'convert', target: 'out', next: (folder) => convert(folder) },
  {
    title: 'convert --force',
    target: 'out',
    old: (folder) => convert(folder, '--dtype', 'float16'),
    next: (folder) => convert(folder, '--force', '--dtype', 'float32'),
  },
  {
    title: 'convert --force of a pipeline',
    target: 'out',
    old: (folder) => convert(folder, '--dtype', 'float16'),
    next: (folder) => ['convert', pipelineFolder('sd15'), join(folder, 'out'), '--only', 'vae', '--force'],
  },
  {
    title: 'patch --force',
    target: 'out',
    old: (folder) => patch('plain', folder, '1'),
    next: (folder) => patch('plain', folder, '2'),
  },
  {
    title: 'patch --force of a pipeline',
    isLong: true,
    target: 'out',
    old: (folder) => patch('pipeline', folder, '1'),
    next: (folder) => patch('pipeline', folder, '2'),
  },
  { title: "a run's folder", target: 'out', next: (folder) => fillFolder(folder, 'sloth'), showsParts: true },
  {
    title: "a run's folder, with force",
    target: 'out',
    old: (folder) => fillFolder(folder, 'cat'),
    next: (folder) => fillFolder(folder, 'sloth', true),
  },
  {
    title: 'run --force',
    isLong: true,
    target: 'out',
    old: (folder) => run(folder, 'cat'),
    next: (folder) => run(folder, 'sloth', '--force'),
  },
  {
    title: 'sweep --force',
    isLong: true,
    target: 'out',
    old: (folder) => sweep(folder, 'cat'),
    next: (folder) => sweep(folder, 'sloth', '--force'),
  },
  {
    title: 'predict --force',
    isLong: true,
    target: 'out.safetensors',
    old: (folder) => predict(folder, '1'),
    next: (folder) => predict(folder, '601'),
  },
  {
    title: 'inspect --html --force',
    target: 'page.html',
    old: (folder) => inspect(folder, '32x32'),
    next: (folder) => inspect(folder, '64x64'),
  },
];

interface Outcome {
  /** Undefined where the process would be dead. */
  readonly code: number | undefined;
  readonly stderr: string;
  readonly calls: readonly FsCall[];
}

/** A command line in this process on a file system that breaks at a call. */
async function broken(action: Action, folder: string, call: number, how: Break): Promise<Outcome> {
  const quiet = silence();
  const pid = process.pid;
  Object.defineProperty(process, 'pid', { value: deadPid++, configurable: true });
  const fs = breakFs(folder, call, how);
  try {
    const code = await Promise.race([fs.during(() => perform(action)), fs.dead.then(() => undefined)]);
    return { code, stderr: quiet.text(), calls: fs.calls };
  } finally {
    Object.defineProperty(process, 'pid', { value: pid, configurable: true });
    process.removeAllListeners('SIGINT');
    quiet.end();
  }
}

/** As the command line does it: the exit code, after one line about what was wrong. */
async function perform(action: Action): Promise<number> {
  if (Array.isArray(action)) return runCli(action);
  return action().then(
    () => 0,
    (error: unknown) => {
      console.error(`slothful: ${messageOf(error)}`);
      return 1;
    },
  );
}

/** Keeps what is printed, for messages. */
function silence() {
  const { stdout, stderr } = process;
  const before = { out: stdout.write, err: stderr.write, error: console.error, log: console.log };
  let text = '';
  const keep = (line: unknown) => {
    text += `${String(line).trimEnd()}\n`;
    return true;
  };
  [stdout.write, stderr.write, console.error, console.log] = [keep, keep, keep, keep];
  return {
    text: () => text,
    end() {
      [stdout.write, stderr.write, console.error, console.log] = [before.out, before.err, before.error, before.log];
    },
  };
}

async function works(action: Action, folder: string): Promise<Outcome> {
  const done = await broken(action, folder, Number.POSITIVE_INFINITY, 'before');
  assert.is(done.code, 0, done.stderr);
  return done;
}

/** What is at a path, by names and contents; of documents that tell times, what they are of. */
function digest(path: string): string {
  if (!existsSync(path)) return 'nothing';
  if (statSync(path).isFile()) return digestFile(path);
  const names = readdirSync(path, { recursive: true, encoding: 'utf8' }).sort();
  return names
    .map((name) => `${name} ${statSync(join(path, name)).isFile() ? digestFile(join(path, name)) : ''}`)
    .join();
}

function digestFile(path: string): string {
  const content = readFileSync(path);
  if (/(run|sweep)\.json$/.test(path)) {
    const { prompt, files, source } = JSON.parse(content.toString());
    return JSON.stringify([prompt, source?.prompt, files]);
  }
  if (/index\.html$|\.csv$/.test(path)) return content.toString().slice(-2);
  return createHash('sha256').update(content).digest('hex').slice(0, 16);
}

/** What is in the folder of a case beside the target, and what is kept on purpose of a run whose disk is full. */
const beside = (folder: string, { target }: Scenario) =>
  readdirSync(folder).filter((name) => name !== target && name !== `${target}-unfinished-1`);

/** The old and the new as they are when nothing breaks, and the calls that lead there. */
async function measureScenario(scenario: Scenario) {
  const [before, after] = [at(`${scenario.title} old`), at(`${scenario.title} new`)];
  for (const folder of [before, after]) {
    mkdirSync(folder);
    if (scenario.old) await works(scenario.old(folder), folder);
  }
  const { calls } = await works(scenario.next(after), after);
  assert.equal(beside(after, scenario), []);
  const [old, next] = [before, after].map((folder) => digest(join(folder, scenario.target)));
  assert.is.not(old, next);
  return { before, calls, old, next };
}

type Measured = Awaited<ReturnType<typeof measureScenario>>;

/** Everything that can break in a command; of the many writes of one file the first and the last. */
function breaksOf(calls: readonly FsCall[]): [call: number, how: Break][] {
  const isAmid = (index: number) => [-1, 0, 1].every((step) => calls[index + step]?.name === 'writeSync');
  return calls.flatMap((call, index): [number, Break][] =>
    isAmid(index)
      ? []
      : [
          [index, 'before'],
          ...(call.hasHalves ? ([[index, 'half']] as [number, Break][]) : []),
          ...(index === calls.length - 1 ? ([[index, 'after']] as [number, Break][]) : []),
          ...(call.takesSpace ? ([[index, 'ENOSPC']] as [number, Break][]) : []),
          [index, 'EROFS'],
        ],
  );
}

async function checkBreak(scenario: Scenario, measured: Measured, call: number, how: Break): Promise<void> {
  const folder = at('case');
  const target = join(folder, scenario.target);
  rmSync(folder, { recursive: true, force: true });
  cpSync(measured.before, folder, { recursive: true });
  const { code, stderr } = await broken(scenario.next(folder), folder, call, how);
  const { name, on } = measured.calls[call] ?? {};
  const where = `${scenario.title}, ${how} at ${call}: ${name} ${on}; ${stderr}`;
  if (how === 'ENOSPC' || how === 'EROFS') checkRefusal(code, stderr, where);
  if (how === 'ENOSPC') assert.equal(beside(folder, scenario), [], where);
  const quiet = silence();
  await settle(target).finally(quiet.end);
  const found = digest(target);
  const isWhole = found === measured.old || found === measured.next;
  assert.ok(isWhole || scenario.showsParts, `${where}\n${found}\n${measured.old}\n${measured.next}`);
  if (code === 0) assert.is(found, measured.next, where);
  assert.equal(beside(folder, scenario), [], where);
  // A disk that refuses has been told of; the rest is what a kill leaves.
  if (how === 'ENOSPC' || how === 'EROFS') return;
  const next = scenario.next(folder);
  const forced = Array.isArray(next)
    ? [...next.filter((word) => word !== '--force'), '--force']
    : fillFolder(folder, 'sloth', true);
  const repaired = await broken(forced, folder, Number.POSITIVE_INFINITY, 'before');
  assert.is(repaired.code, 0, `${where}\n${repaired.stderr}`);
  assert.is(digest(target), measured.next, where);
  assert.equal(beside(folder, scenario), [], where);
}

/** A disk that refuses is told of in one line. What is only left to be removed then is no failure. */
function checkRefusal(code: number | undefined, stderr: string, where: string): void {
  if (code === 0) return;
  const lines = stderr.split('\n').filter((line) => line.startsWith('slothful: '));
  assert.is(code, 1, where);
  assert.is(lines.length, 1, where);
  assert.match(lines[0] ?? '', /disk is full|read-only|ENOSPC|EROFS/, where);
}

test.before(async () => {
  await works(['convert', fixturePath('demo'), at('plain'), '--data-space', 'premultiplied-rgba'], base);
  await works(['convert', pipelineFolder('sd15'), at('pipeline')], base);
  const context = { shape: [1, 2, 64], data: new Float32Array(128).fill(0.1) };
  const sample = { shape: [1, 4, 8, 8], data: new Float32Array(256).fill(0.3) };
  await writeSafetensors(
    at('in.safetensors'),
    new Map([
      ['sample', sample],
      ['encoder_hidden_states', context],
    ]),
  );
});

/** Of the breaks that are no renames, and of those of long scenarios, every third is tried; `npm run test:crash` tries all. */
const SHARE = process.env.SLOTHFUL_ALL ? 1 : 3;

const measures = new Map<string, Measured>();

for (const scenario of SCENARIOS) {
  test(scenario.title, async () => {
    const measured = await measureScenario(scenario);
    measures.set(scenario.title, measured);
    const all = breaksOf(measured.calls);
    const isRename = ([call, how]: [number, Break]) => how === 'before' && /^r/.test(measured.calls[call]?.name ?? '');
    const renames = all.filter(isRename).filter((_, index) => !scenario.isLong || index % SHARE === 0);
    const others = scenario.isLong
      ? []
      : all.filter((each) => !isRename(each)).filter((_, index) => index % SHARE === 0);
    const breaks = [...renames, ...others];
    const began = performance.now();
    for (const [call, how] of breaks) await checkBreak(scenario, measured, call, how);
    const seconds = Math.round((performance.now() - began) / 1000);
    console.log(`  ${scenario.title}: ${measured.calls.length} calls, ${breaks.length} breaks, ${seconds} s`);
  });
}

test('a process that is killed for real leaves the same', async () => {
  const scenario = SCENARIOS.find(({ title }) => title === 'patch --force');
  const measured = measures.get('patch --force');
  assert.ok(scenario && measured);
  const folder = at('case');
  const preloads = [import.meta.resolve('tsx'), new URL('../support/broken-fs-preload.ts', import.meta.url)];
  const NODE_OPTIONS = preloads.map((url) => `--import=${url}`).join(' ');
  for (const [call, { name }] of measured.calls.entries()) {
    if (name !== 'rename') continue;
    rmSync(folder, { recursive: true, force: true });
    cpSync(measured.before, folder, { recursive: true });
    const env = { ...process.env, NODE_OPTIONS, BREAK_UNDER: folder, BREAK_AT: String(call) };
    const { code, stderr } = await slothful(patch('plain', folder, '2'), { env });
    assert.is(code, null, `${call}: ${stderr}`);
    const looked = await slothfulHere(['inspect', join(folder, 'out')]);
    assert.is(looked.code, 0, looked.stderr);
    assert.match(looked.stderr, /note: .*out: .*stopped/);
    const found = digest(join(folder, 'out'));
    assert.ok(found === measured.old || found === measured.next, `${call}: ${found}`);
    assert.equal(beside(folder, scenario), []);
  }
});

test.run();
