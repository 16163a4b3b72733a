/** What a number of a report counts. */
export type Unit = 'count' | 'flops' | 'bytes' | 'share' | 'factor' | 'number';

const PREFIXES = ['', 'k', 'M', 'G', 'T', 'P'];

/** Bytes for people: 3.40 MB, 5.14 GB. */
export function formatBytes(bytes: number): string {
  return withPrefix(bytes, 'B');
}

/** FLOPs for people: 174 GFLOP. */
export function formatFlops(flops: number): string {
  return withPrefix(flops, 'FLOP');
}

/** A large count for people: 859.5 M. */
export function formatCount(count: number): string {
  return count < 1e4 ? String(count) : withPrefix(count, '').trimEnd();
}

/** A number with its unit, for people; a dash where it is not known. */
export function formatValue(value: number | null, unit: Unit): string {
  if (value === null) return '-';
  switch (unit) {
    case 'bytes':
      return formatBytes(value);
    case 'flops':
      return formatFlops(value);
    case 'share':
      return `${trim((100 * value).toFixed(1))} %`;
    case 'factor':
      return `${trim(value.toFixed(2))}x`;
    case 'number':
      return trim(value.toFixed(3));
    default:
      return String(value);
  }
}

function withPrefix(value: number, unit: string): string {
  let scaled = value;
  let step = 0;
  while (Math.abs(scaled) >= 999.5 && step < PREFIXES.length - 1) {
    scaled /= 1000;
    step++;
  }
  const digits = step === 0 ? String(scaled) : scaled.toPrecision(3);
  return `${digits} ${PREFIXES[step]}${unit}`;
}

/** Without zeros that say nothing. */
function trim(text: string): string {
  return text.includes('.') ? text.replace(/\.?0+$/, '') : text;
}
