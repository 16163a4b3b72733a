import type { UpJoint } from '../../attention/index.ts';

/** Which of the two strengths a joint takes, b1 and s1 or b2 and s2; 0: neither. */
export type Stage = 0 | 1 | 2;

/** The stage of a joint by each of the rules that implementations have. */
export interface JointStages {
  readonly original: Stage;
  readonly comfyui: Stage;
  readonly diffusers: Stage;
}

/** A joint that some rule acts on. */
export interface StagedJoint extends UpJoint {
  readonly stages: JointStages;
}

/**
 * The joints that FreeU acts on by any of its rules, in the order of execution.
 *
 * - diffusers: the two deepest up blocks, one after the other.
 * - the authors: channels of the backbone at the joint, 1280 and 640; in a model of other widths the ones in their place, the
 *   third and the second of its widths from the narrowest.
 * - ComfyUI: channels of the backbone, 4 and 2 times those of the first convolution. For the widths of Stable Diffusion that
 *   is what the authors have.
 *
 * Sources: diffusers `apply_freeu`; ChenyangSi/FreeU; ComfyUI `comfy_extras/nodes_freelunch.py`.
 */
export function stagedJoints(joints: readonly UpJoint[]): StagedJoint[] {
  const known = joints.flatMap(({ channels }) => [channels.skip, channels.main]).filter((width) => width !== undefined);
  const [first = 0, second, third] = [...new Set(known)].sort((a, b) => a - b);
  // The last to join is the oldest: what the first convolution made.
  const base = joints.at(-1)?.channels.skip ?? first;
  return joints
    .map((joint): StagedJoint => {
      const { block, channels } = joint;
      const byWidth = (one: number | undefined, two: number | undefined): Stage =>
        channels.main === undefined ? 0 : channels.main === one ? 1 : channels.main === two ? 2 : 0;
      const diffusers: Stage = block === 0 ? 1 : block === 1 ? 2 : 0;
      return {
        ...joint,
        stages: { original: byWidth(third, second), comfyui: byWidth(4 * base, 2 * base), diffusers },
      };
    })
    .filter(({ stages }) => Object.values(stages).some((stage) => stage > 0));
}
