import type { AttentionStage, Grid, PatchedSite, StageRow } from '../attention/index.ts';
import type { DeclaredParameters, ParameterValues } from '../documents/index.ts';
import type { Effects, Graph, PassResult } from '../graph/index.ts';
import type { EditResult, PassFeeds } from './pass-input.ts';

/**
 * What a part of the model's batch is told: all of it, the image without the text, or neither; or all of it, while a pass
 * perturbs it.
 */
export type BatchPart = 'uncond' | 'image' | 'cond' | 'perturbed';

/** What a pass is told of the step that is about to run. */
export interface PassStep<P> {
  /** The timestep, where the caller gave one. */
  readonly timestep?: number | undefined;
  /** Noise level of the step; that of the first image, where a batch mixes several. */
  readonly sigma: number;
  /** The attentions that have the pass's stage, in the order of the control table. */
  readonly sites: readonly PatchedSite[];
  /** Downscale of the model's shallowest and of its deepest self-attention. */
  readonly top: number;
  readonly deep: number;
  /** Size of the latent, in its own pixels. */
  readonly latent: { readonly height: number; readonly width: number };
  readonly parameters: P;
  /** Which step of a run this is, where the caller counts. */
  readonly stepIndex?: number | undefined;
  /** How many steps the run has. */
  readonly steps?: number | undefined;
  /** Of the run; what a pass chooses at random follows from it (`uniform`). */
  readonly seed?: number | undefined;
  /** The parts that guidance makes of the batch, of the same size each. Default: all of it is what is asked for. */
  readonly parts?: readonly BatchPart[] | undefined;
}

/** A tensor of the model that a pass keeps from an evaluation of a run for those that follow. */
export interface KeptTensor {
  /** The node whose output it is. */
  readonly node: string;
  /** Whether this evaluation takes what was kept, so that whatever only makes it is left out; else it makes it anew. */
  readonly reuse: boolean;
}

/** What a site does at a step, for plans: facts under names of the pass's own, and why it is left alone where it is. */
export interface SiteFacts {
  readonly facts: Readonly<Record<string, number | boolean | string | null>>;
  /** A word for why the pass leaves the site as it is at this step; null where it acts. */
  readonly reason: string | null;
}

/** What `edit` returns. */
// biome-ignore lint/suspicious/noConfusingVoidType: an edit need not return anything.
type Edited = EditResult | undefined | void;

/** Another set of parameters under which users know a pass, such as those of a simpler node. */
export interface PassPreset<T extends DeclaredParameters = DeclaredParameters> {
  readonly help: string;
  readonly parameters: DeclaredParameters;
  /** The pass's own parameters that the preset's stand for; both are checked. */
  expand(values: Readonly<Record<string, unknown>>): ParameterValues<T>;
}

/**
 * A pass as a value: all that the toolkit needs to apply, plan, inspect, compare, sweep and run it by its name. Flags, help,
 * axes of sweeps, schemas and the checks of what comes from outside follow from the declared parameters.
 *
 * Only `name`, `version`, `summary` and `parameters` are needed. A pass that changes attentions has a `stage`, and `rows` that
 * say what its stage does at a step; a pass that changes the graph otherwise has `edit`, and where its parameters shall
 * change while the model runs, inputs of its own that `edit` adds and `feeds` fills. One that leaves out parts of the model
 * `keeps` what they made before.
 */
export interface PassDefinition<T extends DeclaredParameters = DeclaredParameters> {
  /** Lower case letters, digits and hyphens: `slothful`, `zero-mask`. */
  readonly name: string;
  readonly version: number;
  /** One line of what it does, for help. */
  readonly summary: string;
  readonly parameters: T;
  readonly presets?: Readonly<Record<string, PassPreset<T>>>;
  readonly stage?: AttentionStage;
  /** Which attentions its stage is attached to. Default: self-attentions. */
  selects?(site: PatchedSite): boolean;
  /**
   * What the stage does at a step: a row of its columns for each of `step.sites`. Called on the CPU, once a step. Default:
   * the parameters that have the names of the columns.
   */
  rows?(step: PassStep<ParameterValues<T>>): readonly StageRow[];
  /** For plans: what the pass does at a site of that grid, in its own words. Default: the row by its columns. */
  explain?(step: PassStep<ParameterValues<T>>, site: PatchedSite, grid: Grid): SiteFacts;
  /**
   * What else it changes in the document, before its stage is attached. What it returns is recorded; `inputs` in it are those
   * that the pass owns (`addPassInput`). A pass with `feeds` is asked once: later applications change the parameters alone.
   */
  edit?(graph: Graph, parameters: ParameterValues<T>): Edited | Promise<Edited>;
  /**
   * What its inputs hold at a step: values by name, row-major. Called on the CPU, once a step.
   *
   * @param result what `edit` returned when the pass was applied, as the model records it
   */
  feeds?(step: PassStep<ParameterValues<T>>, result: PassResult): PassFeeds;
  /**
   * What it keeps of the model in a run, and whether an evaluation takes it. Called on the CPU, once an evaluation.
   *
   * @param evaluation of the run, from 0: a sampler may ask the model several times a step
   * @param result what `edit` returned when the pass was applied, as the model records it
   * @throws SlothfulError `bad-parameter` for parameters that this model cannot have
   */
  keeps?(evaluation: number, parameters: ParameterValues<T>, result: PassResult): KeptTensor | undefined;
  /**
   * Where it perturbs a part of the batch, by how much the run is steered away from that part: a number from 0, which is added
   * times `cond - perturbed` to what guidance gives. Undefined where it asks for no such part.
   */
  steers?(timestep: number, parameters: ParameterValues<T>): number | undefined;
  /** What `edit` would record of a graph, for plans of models that are not patched: nothing is changed. */
  foresee?(graph: Graph): PassResult;
  /** What it changes and needs of attentions, where it has no stage that says so. */
  readonly effects?: Effects;
}

/** Whether a pass goes on acting while the model runs by what its `edit` recorded. */
export function actsByRecord({ feeds, keeps }: Pick<PassDefinition, 'feeds' | 'keeps'>): boolean {
  return feeds !== undefined || keeps !== undefined;
}

/** The rows of a pass's stage at a step, one for each of its sites. */
export function rowsAt<T extends DeclaredParameters>(
  definition: PassDefinition<T>,
  step: PassStep<ParameterValues<T>>,
): readonly StageRow[] {
  if (definition.rows) return definition.rows(step);
  const parameters = new Map<string, unknown>(Object.entries(step.parameters));
  const columns = definition.stage?.columns ?? [];
  const row = columns.map(({ name, default: off }) => Number(parameters.get(name) ?? off));
  return step.sites.map(() => row);
}
