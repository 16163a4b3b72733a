import { SlothfulError } from '../errors.ts';
import type { LoadedModel, Platform } from '../runtime/index.ts';
import type { RunExtent } from '../sampling/index.ts';
import { chooseTiling, type Tiling } from '../vae/index.ts';

/** How an autoencoder is to be run. */
export interface TilingOptions {
  /** Rows and columns of the latents. */
  readonly extent: RunExtent;
  readonly platform: Platform;
  /** Edge of a tile in pixels; 0: in one go; default: tiles where memory asks for them. */
  readonly tile?: number | undefined;
  /** What is done, for the note. */
  readonly work: 'decoding' | 'encoding';
  /** Told before it starts that tiles are taken, and why. */
  readonly onNote?: ((note: string) => void) | undefined;
}

const GIB = 2 ** 30;
/** Where nobody tells how much there is, as in browsers. */
const USUAL_MEMORY = 2 * GIB;
/** WebAssembly's address space, less the weights, which are kept twice, and what earlier models left in pieces. */
const WASM_MEMORY = 3 * GIB;
/** So much of what is free may be taken. */
const SHARE = 0.8;

/** The tiles that an autoencoder is run in: what is asked for, or what fits into the memory that there is. */
export function tilingOf(
  model: LoadedModel,
  { tile, extent, platform, work, onNote }: TilingOptions,
): Tiling | undefined {
  const { scale, rows, columns } = extent;
  if (tile === 0) return undefined;
  if (tile !== undefined) return { tile: tile / scale };
  const free = memoryFor(model, platform);
  const tiling = chooseTiling(model.graph, { rows, columns }, free);
  if (!tiling) return undefined;
  const pixels = tiling.tile * scale;
  onNote?.(
    `${work} in tiles of ${pixels} pixels: ${(free / GIB).toFixed(1)} GiB of memory are free; --tile 0 takes none`,
  );
  return tiling;
}

function memoryFor({ backend }: LoadedModel, platform: Platform): number {
  if (backend.tfjsName === 'wasm') return WASM_MEMORY;
  return SHARE * (platform.freeMemory?.() ?? USUAL_MEMORY);
}

/** Tiles overlap by a quarter, which must be whole latent pixels. */
const STEP = 32;
const LEAST = 64;

/** @throws SlothfulError `usage` for an edge in pixels that tiles cannot have */
export function checkTile(tile: number | undefined): void {
  if (tile === undefined || tile === 0 || (Number.isInteger(tile) && tile >= LEAST && tile % STEP === 0)) return;
  throw new SlothfulError(
    'usage',
    '--tile',
    `cannot be ${tile}`,
    `give a multiple of ${STEP} pixels from ${LEAST}, or 0`,
  );
}
