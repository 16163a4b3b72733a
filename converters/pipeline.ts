import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { SlothfulError } from '../src/errors.ts';
import { FAMILIES, type KnownFamily } from '../src/families/index.ts';
import { isObject, type JsonObject } from '../src/graph/index.ts';
import {
  atomicDirectory,
  checkOutputFolder,
  PIPELINE_FILE,
  type PipelineManifest,
  type PipelinePart,
  parsePipelineManifest,
  readModel,
  unetField,
} from '../src/models/node.ts';
import { type TextEncoderFacts, textEncoderFacts, textInputsOf, textMisfit } from '../src/text/index.ts';
import { readJsonIfThere } from './checkpoint/index.ts';
import type { TextEncoderName } from './clip/index.ts';
import { companionFiles } from './companions.ts';
import { type ConvertOptions, convertCheckpoint } from './convert.ts';
import { LORA_PARTS, type LoraPart } from './lora/index.ts';
import { type ConvertSummary, reading } from './model/index.ts';
import { type FoundParts, findParts, type PartName, taesdHalves } from './pipeline-parts.ts';
import { convertTaesd } from './taesd/index.ts';
import { convertTextEncoder } from './text-encoder.ts';
import { CLIP_VOCABULARY, copyTokenizer, openTokenizer, type TokenizerFolder } from './tokenizer.ts';
import { convertVae } from './vae/index.ts';

/** How `convertPipeline` converts. */
export interface ConvertPipelineOptions extends ConvertOptions {
  /** Only these parts; all that the source has where nothing is said. */
  only?: readonly PartName[] | undefined;
  /** A VAE to take instead of the source's own: a folder or a .safetensors file. */
  vae?: string | undefined;
  /** A TAESD to take along: a folder or a .safetensors file. */
  taesd?: string | undefined;
  /** A diffusers folder whose configs and tokenizers are taken, for single files, whose tensors do not tell everything. */
  configFolder?: string | undefined;
}

/** What was converted and written of a pipeline. */
export interface PipelineSummary {
  kind: 'pipeline';
  family: string | undefined;
  /** By their names in the manifest. */
  parts: Partial<Record<PipelinePart, ConvertSummary>>;
  /** Whether the tokenizers came along; without them CLIP's own vocabulary is meant. */
  tokenizers: PipelinePart[];
  parameters: number;
  bytes: number;
  notes: string[];
}

/**
 * Converts a whole pipeline: the UNet and the networks beside it, each a graph model of stock ops in a folder of its own,
 * with the tokenizers and a manifest, `slothful.json`. Where there is nothing but a UNet, or nothing else is asked for,
 * this is `convertCheckpoint`: the model is the folder itself.
 *
 * @param source a diffusers pipeline folder, or a single .safetensors file with all of its networks
 * @param outDir the folder to make, as a whole or not at all
 * @throws SlothfulError `bad-checkpoint`, `unsupported`, `exists`, `io`, `usage`
 */
export async function convertPipeline(
  source: string,
  outDir: string,
  options: ConvertPipelineOptions = {},
): Promise<ConvertSummary | PipelineSummary> {
  const { only, vae, taesd, configFolder } = options;
  refuseUnused(options);
  const wants = (part: PartName) => only === undefined || only.includes(part);
  const found = await findParts(source);
  const plan: Plan = {
    unet: wants('unet'),
    text: wants('text') && (found.text || only !== undefined),
    secondText: wants('text') && found.secondText,
    vae: wants('vae') && (found.vae || vae !== undefined || only !== undefined),
  };
  if (configFolder !== undefined) checkConfigs(configFolder);
  const config = options.config ?? (configFolder && (await configIn(configFolder, 'unet')));
  const told = { ...options, ...(config === undefined ? {} : { config }) };
  const shared = reading(told, source, vae, taesd, configFolder, ...companionFiles(options));
  const { force, inputs } = shared;
  await checkOutputFolder(outDir, { force, inputs });
  if (!plan.text && !plan.vae && taesd === undefined) {
    const summary = await convertCheckpoint(source, outDir, shared);
    return { ...summary, notes: [...found.notes, ...summary.notes] };
  }
  return atomicDirectory(outDir, { force, inputs }, async (folder) => {
    const own = { ...shared, force: false, isPart: true, loraParts: loraPartsOf(plan) };
    const writer = new PipelineWriter(source, folder, own, found);
    return writer.write(plan);
  });
}

function refuseUnused({ only, vae, taesd, lora = [], ipAdapter }: ConvertPipelineOptions): void {
  if (only === undefined) return;
  const isAsked = `and --only ${only.join(' ')} is asked for`;
  if (ipAdapter && !only.includes('unet')) {
    throw new SlothfulError('usage', '--ip-adapter', `is for the UNet, ${isAsked}`);
  }
  if (lora.length && !only.includes('unet') && !only.includes('text')) {
    throw new SlothfulError('usage', '--lora', `is for the UNet and the text encoders, ${isAsked}`);
  }
  if (only.includes('vae')) return;
  const flag = vae === undefined ? (taesd === undefined ? undefined : '--taesd') : '--vae';
  if (flag)
    throw new SlothfulError('usage', flag, `is not among the parts of --only ${only.join(' ')}`, 'add --only vae');
}

interface Plan {
  readonly unet: boolean;
  readonly text: boolean;
  readonly secondText: boolean;
  readonly vae: boolean;
}

/** The parts that may have something of a LoRA. */
function loraPartsOf({ unet, text, secondText }: Plan): LoraPart[] {
  const parts = { unet, text_encoder: text, text_encoder_2: secondText };
  return LORA_PARTS.filter((part) => parts[part]);
}

function checkConfigs(folder: string): void {
  const paths = ['unet', 'text_encoder', 'vae'].map((part) => join(folder, part, 'config.json'));
  if (paths.some((path) => existsSync(path))) return;
  const cure = 'give a folder as diffusers saves pipelines, with unet/config.json and the like';
  throw new SlothfulError('bad-input', folder, 'holds no config.json of a part of a pipeline', cure);
}

/** The config.json of a part in a diffusers folder; undefined where it has none. */
function configIn(folder: string, part: string): Promise<unknown> {
  return readJsonIfThere(join(folder, part, 'config.json'));
}

/** Each text encoder's tokenizer, as diffusers calls its folder. */
const TOKENIZERS = { text_encoder: 'tokenizer', text_encoder_2: 'tokenizer_2' } as const;

class PipelineWriter {
  private readonly parts: Partial<Record<PipelinePart, ConvertSummary>> = {};
  private readonly folders: Partial<Record<PipelinePart, string>> = {};
  /** What the UNet's metadata say, where it is converted. */
  private unet: JsonObject | undefined;
  /** The sizes of the text encoders, in their order. */
  private readonly text: TextEncoderFacts[] = [];

  constructor(
    private readonly source: string,
    private readonly folder: string,
    private readonly options: ConvertPipelineOptions,
    private readonly found: FoundParts,
  ) {}

  async write(plan: Plan): Promise<PipelineSummary> {
    if (plan.unet) await this.writeUNet();
    if (plan.text) await this.writeText('text_encoder');
    if (plan.secondText) await this.writeText('text_encoder_2');
    if (plan.text) this.checkText();
    if (plan.vae) await this.writeVae();
    if (this.options.taesd !== undefined) await this.writeTaesd(this.options.taesd);
    await this.writeManifest();
    return this.summary();
  }

  private async writeUNet(): Promise<void> {
    await this.add('unet', (out) => convertCheckpoint(this.source, out, this.options));
    this.unet = await this.metadataOf('unet');
  }

  private async writeText(which: TextEncoderName): Promise<void> {
    const tokenizer = await this.tokenizerOf(which);
    await this.add(which, async (out) => {
      const options = { ...(await this.withConfigOf(which)), which, eosTokenId: tokenizer?.eosTokenId };
      return convertTextEncoder(this.source, out, options);
    });
    const facts = textEncoderFacts(await this.metadataOf(which), join(this.folder, which));
    this.text.push(facts);
    const name = TOKENIZERS[which];
    if (tokenizer) {
      await copyTokenizer(tokenizer, join(this.folder, name));
      this.folders[name] = name;
      return;
    }
    const { vocabulary } = facts;
    if (vocabulary === CLIP_VOCABULARY) return;
    const problem = `has a ${which} of ${vocabulary} tokens and no ${name}, and CLIP's own vocabulary has ${CLIP_VOCABULARY}`;
    throw new SlothfulError('bad-checkpoint', this.source, problem, 'give the folder with its tokenizer by --config');
  }

  /** Whether the UNet can read what the text encoders write. */
  private checkText(): void {
    if (!this.unet) return;
    const misfit = textMisfit(this.text, textInputsOf(this.unet));
    if (!misfit) return;
    const cure = 'give the text encoders of the same model, or leave them with --only unet';
    throw new SlothfulError('bad-checkpoint', this.source, misfit, cure);
  }

  private async writeVae(): Promise<void> {
    const { vae } = this.options;
    const options = {
      ...(await this.withConfigOf('vae')),
      scalingFactor: this.family?.scalingFactor,
      latentChannels: this.latentChannels,
    };
    // A variant is the source's; another file has its own.
    if (vae !== undefined) delete options.variant;
    for (const half of ['decoder', 'encoder'] as const) {
      await this.add(`vae_${half}`, (out) => convertVae(vae ?? this.source, out, half, options));
    }
  }

  private async writeTaesd(taesd: string): Promise<void> {
    const { dtype, onProgress, shardBytes } = this.options;
    const options = { ...(dtype ? { dtype } : {}), onProgress, shardBytes, latentChannels: this.latentChannels };
    for (const half of await taesdHalves(taesd)) {
      await this.add(`taesd_${half}`, (out) => convertTaesd(taesd, out, half, options));
    }
  }

  private async writeManifest(): Promise<void> {
    const index = await readJsonIfThere(join(this.options.configFolder ?? this.source, 'model_index.json'));
    const said = isObject(index) ? index.force_zeros_for_empty_prompt : undefined;
    const { family } = this;
    const manifest: PipelineManifest = {
      schema: 'slothful-pipeline/1',
      ...(family ? { family: family.name } : {}),
      parts: this.folders,
      force_zeros_for_empty_prompt: typeof said === 'boolean' ? said : (family?.forceZerosForEmptyPrompt ?? false),
    };
    const path = join(this.folder, PIPELINE_FILE);
    const json = `${JSON.stringify(manifest, null, 2)}\n`;
    parsePipelineManifest(json, path);
    await writeFile(path, json);
  }

  private summary(): PipelineSummary {
    const parts = Object.values(this.parts);
    return {
      kind: 'pipeline',
      family: this.family?.name,
      parts: this.parts,
      tokenizers: Object.values(TOKENIZERS).filter((name) => this.folders[name] !== undefined),
      parameters: parts.reduce((sum, { parameters }) => sum + parameters, 0),
      bytes: parts.reduce((sum, { bytes }) => sum + bytes, 0),
      notes: [...this.found.notes, ...new Set(parts.flatMap(({ notes }) => notes))],
    };
  }

  private async add(part: PipelinePart, convert: (out: string) => Promise<ConvertSummary>): Promise<void> {
    this.parts[part] = await convert(join(this.folder, part));
    this.folders[part] = part;
  }

  private get family(): KnownFamily | undefined {
    return FAMILIES.find(({ name }) => name === this.parts.unet?.family);
  }

  private get latentChannels(): number | undefined {
    const channels = this.unet && unetField(this.unet, 'out_channels');
    return typeof channels === 'number' ? channels : undefined;
  }

  private async metadataOf(part: PipelinePart): Promise<JsonObject> {
    return (await readModel(join(this.folder, part))).graph.metadata;
  }

  /** A config that was given is the UNet's; the others' come from their folder. */
  private async withConfigOf(part: string): Promise<ConvertPipelineOptions> {
    const { config: _, configFolder, ...options } = this.options;
    const config = configFolder && (await configIn(configFolder, part));
    return config === undefined ? options : { ...options, config };
  }

  private async tokenizerOf(which: TextEncoderName): Promise<TokenizerFolder | undefined> {
    const name = TOKENIZERS[which];
    const folders = [this.options.configFolder, this.found.isFolder ? this.source : undefined];
    for (const folder of folders) {
      const tokenizer = folder && (await openTokenizer(join(folder, name)));
      if (tokenizer) return tokenizer;
    }
    return undefined;
  }
}
