import * as tf from '@tensorflow/tfjs-core';
import { BACKENDS } from '../backends/index.ts';
import { tensorOf } from './tensor-info.ts';

type Inputs = tf.NamedTensorInfoMap;
type Attributes = tf.NamedAttrMap;

/** A kernel of a backend as it was, with some of its attributes replaced. */
type OwnKernel = (inputs: Inputs, changed: Attributes) => tf.Tensor;

/** What a backend's kernel refuses or computes wrongly, and how it is computed instead. */
interface Repair {
  readonly isNeeded: (inputs: Inputs, attributes: Attributes) => boolean;
  readonly compute: (inputs: Inputs, attributes: Attributes, own: OwnKernel) => tf.Tensor;
}

const channelsOf = ({ shape }: tf.TensorInfo): number | undefined => shape[shape.length - 1];

/** XNNPACK takes a bias of one value a channel, and no other. */
const biasIsNot = (bias: tf.TensorInfo | undefined, channels: number | undefined): boolean =>
  bias !== undefined && !(bias.shape.length === 1 && bias.shape[0] === channels);

/** The product alone by the kernel that there is; its bias and activation as ops of their own. */
const biasApart: Repair['compute'] = ({ bias, preluActivationWeights, ...inputs }, attributes, own) => {
  const product = own(inputs, { activation: 'linear' });
  const sum = bias ? tf.add(product, tensorOf(bias)) : product;
  return activate(sum, attributes, preluActivationWeights);
};

function activate(
  x: tf.Tensor,
  { activation, leakyreluAlpha }: Attributes,
  alpha: tf.TensorInfo | undefined,
): tf.Tensor {
  if (activation === 'prelu' && alpha) return tf.prelu(x, tensorOf(alpha));
  if (activation === 'leakyrelu') return tf.leakyRelu(x, Number(leakyreluAlpha ?? 0));
  const plain = { relu: tf.relu, relu6: tf.relu6, elu: tf.elu, sigmoid: tf.sigmoid };
  return isOf(plain, activation) ? plain[activation](x) : x;
}

const isOf = <T extends object>(table: T, name: unknown): name is keyof T =>
  typeof name === 'string' && Object.hasOwn(table, name);

const WASM: Readonly<Record<string, Repair>> = {
  FusedConv2D: {
    isNeeded: ({ bias, filter }) => biasIsNot(bias, filter && channelsOf(filter)),
    compute: biasApart,
  },
  FusedDepthwiseConv2D: {
    isNeeded: ({ bias, filter }) => biasIsNot(bias, filter && (filter.shape[2] ?? 1) * (filter.shape[3] ?? 1)),
    compute: biasApart,
  },
  /** It adds no bias where a matrix is transposed or there are several: numbers without a word. */
  _FusedMatMul: {
    isNeeded: ({ a, b, bias }, { transposeA, transposeB }) =>
      bias !== undefined &&
      (transposeA === true || transposeB === true || a?.shape[0] !== 1 || biasIsNot(bias, b && channelsOf(b))),
    compute: biasApart,
  },
  BatchMatMul: {
    isNeeded: ({ a, b }) => a?.dtype === 'int32' || b?.dtype === 'int32',
    compute({ a, b }, _, own) {
      const floats = (of: tf.TensorInfo | undefined) => of && tf.cast(tensorOf(of), 'float32');
      return tf.cast(own({ a: floats(a), b: floats(b) }, {}), 'int32');
    },
  },
  /** It writes the bits of whole numbers, whatever the type. */
  OneHot: {
    isNeeded: (_, { dtype }) => dtype !== 'int32',
    compute(inputs, { dtype, onValue, offValue }, own) {
      const hot = own(inputs, { dtype: 'int32', onValue: 1, offValue: 0 });
      if (dtype === 'bool') return tf.cast(onValue ? hot : tf.sub(1, hot), 'bool');
      const [on, off] = [Number(onValue), Number(offValue)];
      return tf.add(tf.mul(tf.cast(hot, 'float32'), on - off), off);
    },
  },
  /** It cuts to whole numbers: 0.5 would be false. */
  Cast: {
    isNeeded: ({ x }, { dtype }) => dtype === 'bool' && x?.dtype !== 'bool',
    compute: ({ x }, _, own) => (x ? tf.notEqual(tensorOf(x), tf.scalar(0, numeric(x.dtype))) : own({}, {})),
  },
};

const numeric = (dtype: tf.DataType): 'int32' | 'float32' => (dtype === 'int32' ? 'int32' : 'float32');

/** By TF.js's name of the backend and by kernel. What each does wrong was found by comparing all ops with the cpu backend. */
const REPAIRS: Readonly<Record<string, Readonly<Record<string, Repair>>>> = { [BACKENDS.wasm.tfjsName]: WASM };

const repaired = new WeakSet<tf.KernelFunc>();

/**
 * Makes the kernels of the running backend right that refuse what other backends compute, or compute it wrongly; in all other
 * cases they stay as they are. Calling it again changes nothing. The registry is TF.js's own, global by kernel and backend.
 */
export function repairKernels(): void {
  const backendName = tf.getBackend();
  for (const [kernelName, repair] of Object.entries(REPAIRS[backendName] ?? {})) {
    const config = tf.getKernel(kernelName, backendName);
    if (!config || repaired.has(config.kernelFunc)) continue;
    const kernelFunc = repairedKernel(config.kernelFunc, repair);
    repaired.add(kernelFunc);
    tf.unregisterKernel(kernelName, backendName);
    tf.registerKernel({ ...config, kernelFunc });
  }
}

function repairedKernel(kernel: tf.KernelFunc, { isNeeded, compute }: Repair): tf.KernelFunc {
  return (call) => {
    const { inputs, attrs = {}, backend } = call;
    if (!isNeeded(inputs, attrs)) return kernel(call);
    const own: OwnKernel = (given, changed) => {
      const result = kernel({ inputs: given, attrs: { ...attrs, ...changed }, backend });
      const [first] = [result].flat();
      if (!first) throw new Error('a kernel without a result');
      return tensorOf(first);
    };
    return tf.tidy(() => compute(inputs, attrs, own));
  };
}
