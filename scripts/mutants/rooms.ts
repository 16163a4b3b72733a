import { filesUnder } from './copy.ts';

/** Files of arithmetic, and the tests that have to notice what is wrong in them. */
export interface MutantRoom {
  readonly name: string;
  /** Files, or folders with all that is under them. */
  readonly sources: readonly string[];
  /** Beginnings of paths below `test/`. Of these, the files that import the source are run. */
  readonly tests: readonly string[];
}

export const MUTANT_ROOMS: readonly MutantRoom[] = [
  {
    name: 'slothful',
    sources: [
      'src/passes/sigma.ts',
      'src/passes/slothful/control.ts',
      'src/passes/slothful/kv-pooling.ts',
      'src/passes/slothful/stride.ts',
    ],
    tests: [
      'passes/slothful/control',
      'passes/slothful/parameters',
      'passes/slothful/kv-pooling',
      'passes/slothful/goldens',
    ],
  },
  {
    name: 'freeu',
    sources: ['src/passes/freeu/backbone.ts', 'src/passes/freeu/skip.ts', 'src/passes/freeu/stages.ts'],
    tests: ['passes/freeu-arithmetic'],
  },
  {
    name: 'schedules',
    sources: ['src/sampling/schedulers'],
    tests: ['sampling/schedulers', 'sampling/config'],
  },
  {
    name: 'solvers',
    sources: ['src/sampling/solvers', 'src/sampling/solver-steps.ts'],
    tests: ['sampling/comfyui-sigmas', 'sampling/solvers', 'sampling/solver-steps'],
  },
  {
    name: 'noise',
    sources: ['src/sampling/noise'],
    tests: ['sampling/noise', 'sampling/foreign-noise', 'sampling/start'],
  },
  {
    name: 'tensors',
    sources: ['src/tensors'],
    tests: ['tensors/'],
  },
  { name: 'shapes', sources: ['src/graph/shapes'], tests: ['graph/shape-values', 'graph/shapes'] },
  {
    name: 'graph',
    sources: [
      'src/graph/constant.ts',
      'src/graph/effects.ts',
      'src/graph/graph.ts',
      'src/graph/lint.ts',
      'src/graph/traverse.ts',
      'src/graph/weight-edit.ts',
      'src/graph/weights.ts',
    ],
    tests: ['graph/graph', 'graph/lint', 'graph/weight', 'graph/effects', 'graph/model-json'],
  },
  { name: 'flops', sources: ['src/reports/flops.ts'], tests: ['reports/flops'] },
  { name: 'site-cost', sources: ['src/reports/site-cost.ts'], tests: ['reports/site-cost'] },
  { name: 'step-cost', sources: ['src/pipeline/step-cost.ts'], tests: ['pipeline/step-cost'] },
  { name: 'kernels', sources: ['src/kernels'], tests: ['kernels/'] },
  {
    name: 'weights',
    sources: [
      'converters/weights/entry.ts',
      'converters/weights/non-finite.ts',
      'converters/weights/plan.ts',
      'converters/weights/transpose.ts',
      'converters/weights/writer.ts',
    ],
    tests: ['converters/weights'],
  },
  { name: 'claims', sources: ['converters/weights/claims.ts'], tests: ['converters/claims'] },
  {
    name: 'lora',
    sources: ['converters/lora/parts.ts'],
    tests: ['converters/lora-keys', 'converters/lora-lists'],
  },
  { name: 'atomic', sources: ['src/models/atomic.ts', 'src/models/io-error.ts'], tests: ['models/write-model'] },
];

/** The files of a room, without its doors, which only pass on. */
export function sourcesOf({ sources }: MutantRoom): string[] {
  const files = sources.flatMap((source) => (source.endsWith('.ts') ? [source] : filesUnder(source)));
  return files.filter((file) => !/(^|\/)(index|node)\.ts$|\.generated\.ts$/.test(file));
}

export function testsOf({ tests }: MutantRoom): string[] {
  return filesUnder('test').filter(
    (file) => file.endsWith('.test.ts') && tests.some((start) => file.startsWith(`test/${start}`)),
  );
}
