/**
 * Kernels that the graph executor calls and that not every backend's package brings, by the op of a graph that needs them.
 * All other ops of the executor have their kernels everywhere.
 */
const KERNEL_OF: Readonly<Record<string, string>> = {
  BitwiseAnd: 'BitwiseAnd',
  Complex: 'Complex',
  ComplexAbs: 'ComplexAbs',
  DenseBincount: 'DenseBincount',
  Einsum: 'Einsum',
  FFT: 'FFT',
  IFFT: 'IFFT',
  Imag: 'Imag',
  ImageProjectiveTransformV3: 'Transform',
  IRFFT: 'IFFT',
  LowerBound: 'SearchSorted',
  MaxPoolWithArgmax: 'MaxPoolWithArgmax',
  RaggedGather: 'RaggedGather',
  RaggedRange: 'RaggedRange',
  RaggedTensorToTensor: 'RaggedTensorToTensor',
  Real: 'Real',
  RFFT: 'FFT',
  SparseFillEmptyRows: 'SparseFillEmptyRows',
  SparseReshape: 'SparseReshape',
  SparseSegmentMean: 'SparseSegmentMean',
  SparseSegmentSum: 'SparseSegmentSum',
  StaticRegexReplace: 'StaticRegexReplace',
  StringNGrams: 'StringNGrams',
  StringSplit: 'StringSplit',
  StringToHashBucketFast: 'StringToHashBucketFast',
  UpperBound: 'SearchSorted',
};

/** The kernel that an op of a graph needs and that some backend lacks; undefined for all other ops. */
export function scarceKernel(op: string): string | undefined {
  return Object.hasOwn(KERNEL_OF, op) ? KERNEL_OF[op] : undefined;
}

/** The kernels that are not everywhere. */
export const SCARCE_KERNELS: ReadonlySet<string> = new Set(Object.values(KERNEL_OF));

/** Those that the toolkit makes of others where a backend lacks them: see `registerComposedKernels`. */
export const COMPOSED_KERNELS = ['Einsum'] as const;
