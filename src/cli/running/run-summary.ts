import { formatFlops } from '../../pages/index.ts';
import type { Measures, RunRecord } from '../../pipeline/index.ts';
import type { RunFolder } from './run-folder.ts';

/**
 * Prints what a run left and what it cost.
 *
 * @param exact false where pictures are only about what a decoder makes of the latents
 */
export function printRun(
  record: RunRecord,
  folder: RunFolder,
  { json, exact }: { json: boolean; exact: boolean },
): void {
  if (json) {
    console.log(JSON.stringify({ folder: folder.path, ...record }, null, 2));
    return;
  }
  console.log(`${folder.path}: ${[...folder.files, 'run.json'].join(', ')}`);
  console.log(stepsLine(record));
  if (record.parameters) console.log(attentionLine(record));
  for (const [image, measures] of (record.measures ?? []).entries()) {
    console.log(measuresLine(measures, record.settings.seed + image, exact));
  }
}

function stepsLine({ steps, milliseconds, settings, plain }: RunRecord): string {
  const { type } = settings.scheduler;
  const each = (ms: number, count: number) =>
    `${(ms / 1000).toFixed(1)} s (${Math.round(ms / Math.max(1, count))} ms a step)`;
  const own = `${type}, ${steps.length} of ${settings.steps} steps in ${each(milliseconds, steps.length)}`;
  return plain ? `${own}; without Slothful Attention ${each(plain.milliseconds, plain.steps.length)}` : own;
}

function attentionLine({ steps, attention_flops: flops }: RunRecord): string {
  const [first] = steps;
  const tokens = first ? `${first.kv_tokens} of ${first.tokens} K/V tokens in the first step` : 'no step was done';
  if (!flops) return tokens;
  const share = Math.round((100 * flops.patched) / flops.plain);
  return `${tokens}; self-attention ${formatFlops(flops.patched)} of ${formatFlops(flops.plain)} (${share} %)`;
}

function measuresLine(measures: Measures, seed: number, exact: boolean): string {
  const { psnr, ssim, high_frequency_ratio: detail, gradient_similarity: gradients } = measures;
  const ratio = psnr === null ? 'the same' : `PSNR ${psnr.toFixed(1)} dB`;
  const fine = detail === null ? '' : `, fine detail ${detail.toFixed(2)}x`;
  const what = exact ? 'the plain picture' : 'the plain latents';
  return `seed ${seed} against ${what}: ${ratio}, SSIM ${ssim.toFixed(3)}${fine}, gradients ${gradients.toFixed(3)}`;
}
