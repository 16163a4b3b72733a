import type { SlothfulParameters } from '../../passes/slothful/index.ts';
import type { RunExtent } from '../../pipeline/index.ts';
import type { BackendName, UNet } from '../../runtime/index.ts';
import type { DenoisingModel } from '../../sampling/index.ts';
import { type CompanionArguments, steer } from './run-companions.ts';
import { loadSession } from './run-session.ts';

/** A UNet that is loaded, and what runs are made with. */
export interface SteeredUNet {
  readonly unet: UNet;
  /** The UNet with its ControlNets and the scale of its image around it. */
  readonly model: DenoisingModel;
  dispose(): void;
}

/**
 * Loads the UNet of a command line and everything that steers it.
 *
 * @param parameters of Slothful Attention; undefined: as the model is
 * @throws SlothfulError as loading does, and `usage` for companions that do not fit each other; nothing stays loaded
 */
export async function loadSteered(
  argv: CompanionArguments & { readonly model: string; readonly backend?: BackendName | undefined },
  { rows, columns, scale }: RunExtent,
  parameters: SlothfulParameters | undefined,
): Promise<SteeredUNet> {
  const controlNet = argv.controlnet !== undefined;
  const unet = await loadSession(argv.model, { backend: argv.backend, slothful: parameters, controlNet });
  try {
    const size = { width: columns * scale, height: rows * scale };
    const steered = await steer(unet, argv, size, parameters);
    const dispose = () => {
      steered.dispose();
      unet.dispose();
    };
    return { unet, model: steered.model, dispose };
  } catch (error) {
    unet.dispose();
    throw error;
  }
}
