import { NOT_RUN, reasonText, type SiteStep } from './plan-step.ts';

/** What happens to a self-attention over a run, in words: where it is pooled, and why it is left alone elsewhere. */
export function verdictOf(steps: readonly SiteStep[]): string {
  const pooled = steps.filter(({ reason }) => reason === null).length;
  const parts = [...leftAlone(steps)].map(([reason, indices]) => {
    const where = indices.length === steps.length ? '' : ` in ${stepsText(indices)}`;
    return `left alone${where}: ${detail(reason, steps, indices)}`;
  });
  if (pooled)
    parts.unshift(pooled === steps.length ? 'pooled in every step' : `pooled in ${pooled} of ${steps.length} steps`);
  const clipped = steps.flatMap((step, index) => (step.clipped ? [index] : []));
  if (clipped.length) parts.push(`the window is clipped to the grid in ${stepsText(clipped)}`);
  return parts.join('; ') || 'no step';
}

function leftAlone(steps: readonly SiteStep[]): Map<string, number[]> {
  const found = new Map<string, number[]>();
  for (const [index, { reason }] of steps.entries()) {
    if (reason !== null) found.set(reason, [...(found.get(reason) ?? []), index]);
  }
  return found;
}

function detail(reason: string, steps: readonly SiteStep[], indices: readonly number[]): string {
  const text = reasonText(reason);
  if (reason === 'keep_middle' || reason === 'grid' || reason === NOT_RUN) return text;
  const highest = Math.max(...indices.map((index) => steps[index]?.asked ?? 0));
  return `${text} (asked ${Number(highest.toFixed(2))} at most)`;
}

/** Step numbers as people count them: `step 3`, `steps 3 to 7`, `4 steps`. */
function stepsText(indices: readonly number[]): string {
  const [first = 0] = indices;
  const last = indices.at(-1) ?? first;
  if (indices.length === 1) return `step ${first + 1}`;
  return last - first + 1 === indices.length ? `steps ${first + 1} to ${last + 1}` : `${indices.length} steps`;
}
