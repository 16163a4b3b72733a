/** Bits of one value of every dtype that safetensors knows. */
const BITS = new Map<string, number>([
  ['BOOL', 8],
  ['F4', 4],
  ['F6_E2M3', 6],
  ['F6_E3M2', 6],
  ['U8', 8],
  ['I8', 8],
  ['F8_E5M2', 8],
  ['F8_E4M3', 8],
  ['F8_E8M0', 8],
  ['F8_E4M3FNUZ', 8],
  ['F8_E5M2FNUZ', 8],
  ['I16', 16],
  ['U16', 16],
  ['F16', 16],
  ['BF16', 16],
  ['I32', 32],
  ['U32', 32],
  ['F32', 32],
  ['C64', 64],
  ['F64', 64],
  ['I64', 64],
  ['U64', 64],
]);

/** A dtype whose values can become weights of a TF.js model. */
export type WeightDtype = 'F16' | 'BF16' | 'F32';

/** Bits of one value, or undefined for a dtype that safetensors does not know. */
export function bitsOf(dtype: string): number | undefined {
  return BITS.get(dtype);
}

/** Whether values of a dtype can become weights. */
export function isWeightDtype(dtype: string): dtype is WeightDtype {
  return dtype === 'F16' || dtype === 'BF16' || dtype === 'F32';
}
