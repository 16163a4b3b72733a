import { readShape } from '../graph/index.ts';
import type { BatchPart } from '../passes/index.ts';
import { type BackendName, checkFitsOn, type SlothfulHook } from '../runtime/index.ts';
import { type GuidedSizes, isSolverConfig, type RunExtent, type RunSettings, type Values } from '../sampling/index.ts';
import type { Prompts } from '../text/index.ts';
import type { TileProgress } from '../vae/index.ts';
import { besideOfTensors, checkGivenBeside, takenBeside } from './beside-sample.ts';
import { checkWork } from './check-work.ts';
import { type Conditioner, imageEmbedsOf, withImageEmbeds, withTimeIds } from './conditioning.ts';
import { type DecoderName, type DecoderPart, type Drawing, drawAll, openPreview, type Preview } from './draw.ts';
import { encoderStore } from './encode-image.ts';
import { onceOnly, PhaseClock, type PhaseName, partLoader } from './load-parts.ts';
import type { Look } from './look.ts';
import { type OpenedModel, pixelsOf } from './open-model.ts';
import type { ResolvedRun } from './resolve-run.ts';
import { type StartFor, type StartImage, startOf } from './start-image.ts';
import { type Companions, type SteeredUNet, steer } from './steer.ts';
import type { LoadPart, TextSource } from './text-source.ts';

/** How far a part of a job is. */
export interface JobProgress {
  readonly part: 'loading' | 'denoising' | 'plain' | 'patched' | 'sweeping' | 'encoding' | 'decoding';
  readonly done: number;
  readonly total: number;
}

/** What runs of a pipeline are given in common, besides what is asked of each. */
export interface PipelineSetup extends Companions {
  /** Where their text comes from: `encoderSource`, `tableSource`, `tensorSource`. */
  readonly text: TextSource;
  /** Sizes that SDXL is told in the place of the picture's own. */
  readonly sizes?: GuidedSizes | undefined;
  /** An IP-Adapter's image: `image_embeds`, and where they are from. */
  readonly imageEmbeds?: { readonly tensors: ReadonlyMap<string, Values>; readonly place: string } | undefined;
  /** Start from an image in the place of noise alone. */
  readonly start?: StartImage | undefined;
  /** What decodes the latents, by default the VAE. */
  readonly decoder?: DecoderName | undefined;
  /** Edge of the decoder's tiles in pixels; 0: in one go; default: tiles where memory asks for them. */
  readonly tile?: number | undefined;
  /** Decides every site's strides before a step, in the place of the parameters. */
  readonly hook?: SlothfulHook | undefined;
  /** Use this one or fail; by default the first that works. */
  readonly backend?: BackendName | undefined;
  /** Stops between two steps: what is done is kept. */
  readonly signal?: AbortSignal | undefined;
  /** Told what was chosen for the user, in words. */
  readonly onNote?: ((note: string) => void) | undefined;
  /** Told which backend computes, in one line. */
  readonly log?: ((line: string) => void) | undefined;
  /** Told how far each part is: loading in bytes, encoding and decoding in tiles, the rest in steps. */
  readonly onProgress?: ((progress: JobProgress) => void) | undefined;
}

/**
 * What runs of a pipeline go through, in this order: tell, start, steer, draw. The networks of each are loaded for it, and
 * gone before the next; how long each took is in `clock`.
 */
export class PipelineStages {
  readonly clock = new PhaseClock();
  private readonly load: (phase: PhaseName) => LoadPart;
  private readonly log: (line: string) => void;
  private readonly noteWork: (note: string) => void;

  constructor(
    private readonly model: OpenedModel,
    private readonly setup: PipelineSetup,
  ) {
    const { backend, log, onNote, onProgress } = setup;
    this.log = onceOnly(log);
    this.noteWork = onceOnly(onNote);
    this.load = partLoader(model.platform, this.clock, {
      ...{ backend, log: this.log },
      onProgress: (done, total) => onProgress?.({ part: 'loading', done, total }),
    });
  }

  /**
   * What the model is told of each prompt, where it evaluates a batch of such parts. A run that the backend or the machine cannot hold is refused before. */
  async tell(
    prompts: readonly (Prompts | undefined)[],
    extent: RunExtent & Partial<Pick<RunSettings, 'steps'>>,
    parts: readonly BatchPart[],
    { text, sizes }: Pick<PipelineSetup, 'text' | 'sizes'> = this.setup,
  ): Promise<Conditioner> {
    const { imageEmbeds, backend: asked } = this.setup;
    if (imageEmbeds) imageEmbedsOf(imageEmbeds.tensors, imageEmbeds.place);
    const backend = await checkFitsOn(this.model.platform, this.model.file, { backend: asked, log: this.log });
    const { rows, columns, batch, steps } = extent;
    const size = { rows, columns, batch: parts.length * batch };
    await checkWork(this.model, backend, { size, steps, asNodes: true, onNote: this.noteWork });
    const told = await this.clock.time('text', () =>
      text.encode(prompts, parts.includes('uncond'), this.load('load text')),
    );
    return (prompt) => {
      const whole = withTimeIds(told(prompt), this.model.inputs, pixelsOf(extent), sizes);
      if (!imageEmbeds) return whole;
      const input = this.model.graph.node('image_embeds');
      const rank = input && readShape(input.attributes, 'shape')?.length;
      return withImageEmbeds(whole, imageEmbeds.tensors, imageEmbeds.place, rank);
    };
  }

  /**
   * Checks that runs are given what the model takes beside its sample; nothing is loaded.
   *
   * @throws SlothfulError `usage`, `bad-input`, `unsupported`
   */
  checkGiven(): void {
    const { start, text, decoder } = this.setup;
    checkGivenBeside(this.model, { start, tensors: text.beside?.tensors });
    const taken = takenBeside(this.model.graph);
    if (!taken || !start) return;
    const choice = { taesd: decoder === 'taesd', exact: taken === 'image' };
    encoderStore(this.model.file.store.pipeline, choice, this.model.place);
  }

  /** What runs start from, and what the model takes beside; undefined: noise alone. */
  async start(extent: RunExtent & Partial<Pick<RunSettings, 'scheduler'>>, look: Look): Promise<StartFor | undefined> {
    const { start, decoder, tile, onNote, signal, text, onProgress } = this.setup;
    const { platform, graph } = this.model;
    if (!start) {
      const { beside } = text;
      return beside && ((settings) => ({ beside: besideOfTensors(graph, beside.tensors, settings, beside.place) }));
    }
    const options = {
      ...{ extent, look, tile, onNote, signal, platform },
      ...{ taesd: decoder === 'taesd', load: this.load('load encoder') },
      onTile: ({ done, total }: TileProgress) => onProgress?.({ part: 'encoding', done, total }),
      crop: extent.scheduler && isSolverConfig(extent.scheduler),
    };
    return this.clock.time('encode', () => startOf(this.model, start, options));
  }

  /** The UNet and what steers it, loaded; the caller's to dispose of. */
  steer(extent: RunExtent, { parameters, passes }: Pick<ResolvedRun, 'parameters' | 'passes'>): Promise<SteeredUNet> {
    const { controlNets, patchControlNets, ipAdapterScale, timestepInput, backend, hook, onNote, onProgress } =
      this.setup;
    this.model.platform.releaseMemory?.();
    return this.clock.time('load unet', () =>
      steer(this.model, {
        ...{ controlNets, patchControlNets, ipAdapterScale, timestepInput, backend, hook, onNote, parameters, passes },
        ...{ pixels: pixelsOf(extent), log: this.log },
        onProgress: (done, total) => onProgress?.({ part: 'loading', done, total }),
      }),
    );
  }

  /** What runs look like while they go on; the caller's to dispose of. */
  preview(look: Look, extent: RunExtent): Promise<Preview> {
    return openPreview(this.model, look, { extent, load: this.load('load unet') });
  }

  /** The pictures of the latents of runs. A job that is stopped keeps what is done, so it is drawn all the same. */
  draw(
    look: Look,
    decoder: DecoderPart | undefined,
    runs: readonly Float32Array[],
    extent: RunExtent,
  ): Promise<Drawing> {
    const { tile, onNote, onProgress } = this.setup;
    this.model.platform.releaseMemory?.();
    return this.clock.time('decode', () =>
      drawAll(look, decoder, runs, {
        ...{ extent, tile, onNote, platform: this.model.platform, load: this.load('load decoder') },
        onTile: ({ done, total }) => onProgress?.({ part: 'decoding', done, total }),
      }),
    );
  }
}
