/** The backends that the toolkit computes on: an entry each, from which flags, reports and limits are derived. */

const MIB = 1024 * 1024;

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
}

/** By what users call them, fastest first. How each is loaded is in src/runtime. */
const REGISTRY = {
  /**
   * On a CPU it is fastest where logits are still in the cache when their softmax reads them: 8 heads of 4,096 x 4,096
   * take 434 ms of CPU at 16 MiB and 583 all at once.
   */
  native: { tfjsName: 'tensorflow', logitsLimit: 16 * MIB, strategy: 'batched', inHostMemory: false },
  /**
   * It has 4 GiB in all and fails silently past them. XNNPACK serves plain 2-D products only and a batched product is a
   * naive loop: at 2 x 20 heads, 1,024 tokens, 64 wide, heads one by one take 0.8 s and batched 9.5 s.
   */
  wasm: { tfjsName: 'wasm', logitsLimit: 64 * MIB, strategy: 'per-head', inHostMemory: true },
  /** Both strategies take the same. */
  cpu: { tfjsName: 'cpu', logitsLimit: 512 * MIB, strategy: 'batched', inHostMemory: true },
} as const satisfies Readonly<Record<string, Backend>>;

/** Backends of TF.js that are not in the registry: a GPU buffer may be refused past 128 MiB. */
const OTHER = { logitsLimit: 128 * MIB, strategy: 'batched', inHostMemory: false } as const satisfies Omit<
  Backend,
  'tfjsName'
>;

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
