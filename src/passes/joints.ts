import { SlothfulError } from '../errors.ts';

/**
 * The joints of skip connections that a pass acts on, of which there has to be one.
 *
 * @param what the pass puts into a UNet, for the message
 * @throws SlothfulError `unsupported` where there are none
 */
export function expectJoints<Joint>(joints: readonly Joint[], what: string): readonly [Joint, ...Joint[]] {
  const [first, ...others] = joints;
  if (first !== undefined) return [first, ...others];
  const cure = `only a UNet with skip connections can take ${what}`;
  throw new SlothfulError('unsupported', 'the graph', 'has no concatenation that joins a skip connection', cure);
}
