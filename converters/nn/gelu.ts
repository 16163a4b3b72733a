import type { Endpoint } from '../../src/graph/index.ts';
import type { GraphBuilder } from './graph-builder.ts';

/** gelu(x) = x * (0.5 + 0.5 erf(x / sqrt 2)), the exact one. */
export function gelu(builder: GraphBuilder, scope: string, x: Endpoint): Endpoint {
  const op = (name: string, kind: string, inputs: Endpoint[]) => builder.op(`${scope}/${name}`, kind, inputs);
  const erf = op('erf', 'Erf', [op('scaled', 'Mul', [x, builder.float(Math.SQRT1_2)])]);
  const share = op('share', 'AddV2', [op('half', 'Mul', [erf, builder.float(0.5)]), builder.float(0.5)]);
  return op('gelu', 'Mul', [x, share]);
}
