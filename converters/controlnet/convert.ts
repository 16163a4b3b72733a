import { attr, type Endpoint } from '../../src/graph/index.ts';
import { openCheckpoint } from '../checkpoint/index.ts';
import { type ConversionOptions, type ConvertSummary, reading, unetRecord, writeGraph } from '../model/index.ts';
import { conv, GraphBuilder, type PlannedGraph, signatureTensor, silu } from '../nn/index.ts';
import { buildContexts, downPath, firstConv, halfModules, middleBlock, signatureInputs } from '../unet/index.ts';
import { checkModules, weightEntries } from '../weights/index.ts';
import { type ControlNetConfig, controlNetConfig } from './config.ts';
import { type Base, openBase } from './difference.ts';
import { CONTROLNET, controlNetTensors } from './tensors.ts';

/** How `convertControlNet` converts. */
export interface ConvertControlNetOptions extends ConversionOptions {
  /** Average residuals over the picture, as shuffle ControlNets do; by default what the files say, or the name. */
  globalPool?: boolean | undefined;
  /**
   * A checkpoint of the UNet that a ControlNet was made for, which those need that hold differences to it (marked by a tensor
   * `difference`).
   */
  base?: string | undefined;
}

/**
 * Converts a ControlNet to a TF.js graph model of its own, streaming: one tensor in memory at a time. Its residuals are fed
 * to a UNet that was loaded or patched with `controlNetInputs()`, times the conditioning scale.
 *
 * @param source a diffusers ControlNet folder, or a single .safetensors file (`control_model.*` or diffusers names)
 * @param outDir where `model.json` and its shards go; written under a temporary name first
 * @throws SlothfulError `bad-checkpoint`, `unsupported`, `exists`, `io`
 */
export async function convertControlNet(
  source: string,
  outDir: string,
  options: ConvertControlNetOptions = {},
): Promise<ConvertSummary> {
  const checkpoint = await openCheckpoint(source, CONTROLNET, options);
  let base: Base | undefined;
  try {
    const own = controlNetTensors(checkpoint);
    base = await openBase(checkpoint, options.base);
    const found = base ? { ...own, tensors: base.addedTo(own.tensors) } : own;
    const told = controlNetConfig(checkpoint, found.tensors, options);
    const { config } = told;
    checkModules(halfModules(config.unet), found, checkpoint.path);
    const { graph, weights } = buildControlNet(config, 'slothful convert');
    const entries = weightEntries(weights, found, checkpoint.path, options.dtype ?? 'auto');
    const { family } = config.unet;
    const image = { input: 'image', channels: config.imageChannels, downscale: 2 ** (config.hintWidths.length - 1) };
    const pooled = config.globalPool ? { global_pool_conditions: true } : {};
    graph.setMetadata({ kind: 'controlnet', family, image, ...pooled, unet: unetRecord(config.unet) });
    const written = await writeGraph(outDir, graph, entries, reading(options, source, options.base));
    return { kind: 'controlnet', family, ...written, notes: [...checkpoint.notes, ...told.notes, ...written.notes] };
  } finally {
    await base?.close();
    await checkpoint.close();
  }
}

/**
 * Builds the TF.js graph of a ControlNetModel from stock ops, NHWC, for any batch and size.
 *
 * Inputs: those of the UNet, and `image` [B, 8H, 8W, 3] in 0..1. Outputs: `down_block_res_0`, ... for the UNet's skip
 * connections, and `mid_block_res`, all at scale 1.
 * Source: diffusers, `ControlNetModel.forward`.
 */
export function buildControlNet(config: ControlNetConfig, convertedBy: string): PlannedGraph {
  const { unet, imageChannels } = config;
  const builder = new GraphBuilder(convertedBy);
  const sample = builder.placeholder('sample', [-1, -1, -1, unet.inChannels]);
  const contexts = buildContexts(builder, unet, sample);
  const image = builder.placeholder('image', [-1, -1, -1, imageChannels]);
  const hint = hintNetwork(builder, config, config.reversedChannels ? reversed(builder, image, imageChannels) : image);
  const first = builder.op('conv_in/hinted', 'AddV2', [firstConv(builder, unet, sample), hint]);
  const { skips, bottom } = downPath(builder, unet, first, contexts);
  const middle = middleBlock(builder, unet, bottom, contexts);
  const outputs = [
    ...skips.map((skip, index) => ({
      ...skip,
      name: `down_block_res_${index}`,
      module: `controlnet_down_blocks.${index}`,
    })),
    { map: middle, channels: unet.down.at(-1)?.width ?? 0, name: 'mid_block_res', module: 'controlnet_mid_block' },
  ];
  for (const { map, channels, name, module } of outputs) {
    const residual = conv(builder, module, map, { inputs: channels, outputs: channels, kernel: 1 });
    builder.op(name, 'Identity', [config.globalPool ? averaged(builder, name, residual) : residual]);
  }
  builder.graph.setSignature({
    inputs: { ...signatureInputs(unet), image: signatureTensor('image', [-1, -1, -1, imageChannels]) },
    outputs: Object.fromEntries(
      outputs.map(({ name, channels }) => [name, signatureTensor(name, [-1, -1, -1, channels])]),
    ),
  });
  return { graph: builder.graph, weights: builder.weights };
}

/** The channels of a picture in the opposite order. Source: diffusers, `torch.flip` of `ControlNetModel.forward`. */
function reversed(builder: GraphBuilder, image: Endpoint, channels: number): Endpoint {
  const all = Array.from({ length: channels }, (_, channel) => channel);
  return builder.op('image/reversed', 'GatherV2', [image, builder.ints(all.toReversed()), builder.ints([3], [])], {
    Taxis: attr.type('int32'),
    Tindices: attr.type('int32'),
    Tparams: attr.type('float32'),
    batch_dims: attr.int(0),
  });
}

/** The mean over the picture, [B, 1, 1, C]. Source: diffusers, `global_pool_conditions`. */
function averaged(builder: GraphBuilder, name: string, residual: Endpoint): Endpoint {
  return builder.op(`${name}/pooled`, 'Mean', [residual, builder.ints([1, 2])], { keep_dims: attr.bool(true) });
}

/** [B, 8H, 8W, channels] -> [B, H, W, first width of the UNet]. Source: diffusers, `ControlNetConditioningEmbedding`. */
function hintNetwork(
  builder: GraphBuilder,
  { unet, imageChannels, hintWidths }: ControlNetConfig,
  image: Endpoint,
): Endpoint {
  const module = 'controlnet_cond_embedding';
  const [first = 0] = hintWidths;
  const active = (name: string, x: Endpoint) => silu(builder, `${module}/${name}`, x);
  let map = active('conv_in', conv(builder, `${module}.conv_in`, image, { inputs: imageChannels, outputs: first }));
  hintWidths.slice(1).forEach((width, index) => {
    const [same, wider] = [2 * index, 2 * index + 1];
    const inputs = hintWidths[index] ?? 0;
    map = active(`${same}`, conv(builder, `${module}.blocks.${same}`, map, { inputs, outputs: inputs }));
    map = active(`${wider}`, conv(builder, `${module}.blocks.${wider}`, map, { inputs, outputs: width, stride: 2 }));
  });
  const outputs = unet.down[0]?.width ?? 0;
  return conv(builder, `${module}.conv_out`, map, { inputs: hintWidths.at(-1) ?? 0, outputs });
}
