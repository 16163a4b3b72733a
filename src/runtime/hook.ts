import {
  type ControlRow,
  controlRow,
  type DepthRange,
  type PatchedSite,
  type SlothfulParameters,
  siteStride,
} from '../passes/slothful/index.ts';

/** What a hook is told of the step that is about to run. */
export interface HookStep extends DepthRange {
  /** The timestep, where the caller gave one. */
  readonly timestep?: number | undefined;
  /** Noise level of the step; that of the first image, where a batch mixes several. */
  readonly sigma: number;
  /** The patched self-attentions, in the order of the control table. */
  readonly sites: readonly PatchedSite[];
  /** Size of the latent, in its own pixels. */
  readonly latent: { readonly height: number; readonly width: number };
  readonly parameters: SlothfulParameters;
  /** Which step of a run this is, where the caller counts. */
  readonly stepIndex?: number | undefined;
}

/**
 * Decides before every step what each site does: one row a site, in the order of `step.sites`. Called on the CPU, once
 * a step; users may replace it by any function of their own.
 */
export type SlothfulHook = (step: HookStep) => readonly ControlRow[];

/**
 * The hook that a model has at first: the strides that the parameters ask for at this sigma. Sites of one block and
 * level have the same row, which is worked out once: SDXL's 70 sites have five.
 */
export const defaultHook: SlothfulHook = ({ sites, sigma, parameters, top, deep }) => {
  const rows = new Map<string, ControlRow>();
  return sites.map((site) => {
    const key = `${site.block} ${site.downscale}`;
    const known = rows.get(key);
    if (known) return known;
    const { stride } = siteStride(parameters, site, { top, deep }, sigma);
    const row = controlRow(parameters, site.block, stride);
    rows.set(key, row);
    return row;
  });
};
