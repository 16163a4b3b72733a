import { registerAttentionOp } from '../kernels/index.ts';
import { passDefinitions, registerPass } from '../passes/index.ts';

/**
 * Teaches TF.js the op of patched graphs, with the stages of every pass that is known. Call it before a patched model is loaded
 * with TF.js's own loaders (`loadUNet` does it itself); calling it again changes nothing. The registry is TF.js's own, global
 * by op name.
 */
export function registerSlothfulOps(): void {
  for (const definition of passDefinitions()) registerPass(definition);
  registerAttentionOp();
}
