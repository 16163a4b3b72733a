/** The backends that the toolkit computes on: an entry each, from which flags, reports and limits are derived. */
import { COMPOSED_KERNELS, scarceKernel } from './kernels.ts';

export { COMPOSED_KERNELS, SCARCE_KERNELS, scarceKernel } from './kernels.ts';

const MIB = 1024 * 1024;
const TERA = 1e12;

/** How attention is computed: one batched product over all heads, or a loop of 2-D products over heads. */
export const STRATEGIES = ['batched', 'per-head'] as const;
export type Strategy = (typeof STRATEGIES)[number];

/** What is known of a backend before it is loaded. */
export interface Backend {
  /** TF.js's name for it. */
  readonly tfjsName: string;
  /** Bytes that one logits tensor may have where nobody said otherwise. */
  readonly logitsLimit: number;
  readonly strategy: Strategy;
  /** Tensors lie in the memory of the JavaScript process, so that reading one is at most a memory copy. */
  readonly inHostMemory: boolean;
  /** FLOPs that take some ten minutes on a usual machine: from there on a run is told to be long. */
  readonly longFlops: number;
  /** Of the kernels that are not everywhere, those that its package of 4.22 does not bring. */
  readonly lacks: readonly string[];
}

const RAGGED = ['RaggedGather', 'RaggedRange', 'RaggedTensorToTensor'] as const;

/** By what users call them, fastest first. How each is loaded is in src/runtime. */
const REGISTRY = {
  /**
   * On a CPU it is fastest where logits are still in the cache when their softmax reads them: 8 heads of 4,096 x 4,096
   * take 434 ms of CPU at 16 MiB and 583 all at once.
   */
  native: {
    ...{ tfjsName: 'tensorflow', logitsLimit: 16 * MIB, strategy: 'batched', inHostMemory: false },
    longFlops: 50 * TERA,
    lacks: [
      ...['BitwiseAnd', 'DenseBincount', 'MaxPoolWithArgmax', ...RAGGED, 'SearchSorted', 'SparseFillEmptyRows'],
      ...['SparseReshape', 'SparseSegmentMean', 'SparseSegmentSum', 'StringNGrams', 'StringSplit'],
      ...['StringToHashBucketFast', 'Transform'],
    ],
  },
  /**
   * It has 4 GiB in all and fails silently past them. XNNPACK serves plain 2-D products only and a batched product is a
   * naive loop: at 2 x 20 heads, 1,024 tokens, 64 wide, heads one by one take 0.8 s and batched 9.5 s.
   */
  wasm: {
    ...{ tfjsName: 'wasm', logitsLimit: 64 * MIB, strategy: 'per-head', inHostMemory: true },
    longFlops: 15 * TERA,
    lacks: ['Complex', 'ComplexAbs', 'Einsum', 'FFT', 'IFFT', 'Imag', ...RAGGED, 'Real', 'StaticRegexReplace'],
  },
  /** Both strategies take the same. */
  cpu: {
    tfjsName: 'cpu',
    logitsLimit: 512 * MIB,
    strategy: 'batched',
    inHostMemory: true,
    longFlops: TERA / 2,
    lacks: [],
  },
} as const satisfies Readonly<Record<string, Backend>>;

/** Backends of TF.js that are not in the registry: a GPU buffer may be refused past 128 MiB. */
const OTHER = {
  logitsLimit: 128 * MIB,
  strategy: 'batched',
  inHostMemory: false,
  longFlops: 1000 * TERA,
  lacks: [],
} as const satisfies Omit<Backend, 'tfjsName'>;

export type KnownBackend = keyof typeof REGISTRY;

const isKnown = (name: string): name is KnownBackend => Object.hasOwn(REGISTRY, name);

/** The names of the backends. */
export const BACKEND_NAMES: readonly KnownBackend[] = Object.keys(REGISTRY).filter(isKnown);

/** The backends by what users call them. */
export const BACKENDS: Readonly<Record<KnownBackend, Backend>> = REGISTRY;

/** What users call a backend of TF.js; undefined for one that is not in the registry. */
export function backendNameOf(tfjsName: string): KnownBackend | undefined {
  return BACKEND_NAMES.find((name) => REGISTRY[name].tfjsName === tfjsName);
}

/** What is known of a backend of TF.js, whichever it is. */
export function backendOf(tfjsName: string): Backend {
  const name = backendNameOf(tfjsName);
  return name ? REGISTRY[name] : { tfjsName, ...OTHER };
}

/** The backends that have the kernel of an op of a graph, fastest first: brought by their packages, or made of others. */
export function backendsFor(op: string): KnownBackend[] {
  const kernel = scarceKernel(op);
  const isEverywhere = kernel === undefined || COMPOSED_KERNELS.some((name) => name === kernel);
  return BACKEND_NAMES.filter((name) => isEverywhere || !BACKENDS[name].lacks.includes(kernel));
}
