/** Workflows for tests, with as little said as can be. */

/** A node of a saved workflow: links by the names of inputs, `[from, slot, type]`. */
export interface UiSketch {
  readonly id: number | string;
  readonly type: string;
  readonly widgets?: unknown;
  readonly from?: Readonly<Record<string, readonly [from: number | string, slot: number, type: string]>>;
  /** Inputs without a link, of a subgraph's instance. */
  readonly open?: Readonly<Record<string, { readonly isWidget: boolean }>>;
  readonly outputs?: readonly string[];
  readonly mode?: number;
  readonly title?: string;
  readonly properties?: object;
}

type Values = 'text' | 'seed' | 'value' | 'cfg' | 'steps' | 'width';
const WIDGETS: readonly string[] = ['text', 'seed', 'value', 'cfg', 'steps', 'width'] satisfies Values[];

/** Links from -10 and to -20 are of a subgraph's edge: `to` says where those to -20 come from. */
export function uiGraph(sketches: readonly UiSketch[], to: readonly (readonly [from: number, slot: number])[] = []) {
  const links: { id: number; origin_id: unknown; origin_slot: number; target_id: unknown; target_slot: number }[] = [];
  const nodes = sketches.map((sketch) => {
    const linked = Object.entries(sketch.from ?? {}).map(([name, [from, slot, type]], index) => {
      const link = { origin_id: from, origin_slot: slot, target_id: sketch.id, target_slot: index, type };
      links.push({ id: links.length + 1, ...link });
      return { name, type, link: links.length, ...(WIDGETS.includes(name) ? { widget: { name } } : {}) };
    });
    const open = Object.entries(sketch.open ?? {}).map(([name, { isWidget }]) => {
      return { name, type: '*', link: null, ...(isWidget ? { widget: { name } } : {}) };
    });
    return {
      ...{ id: sketch.id, type: sketch.type, mode: sketch.mode ?? 0, title: sketch.title },
      ...{ inputs: [...linked, ...open], widgets_values: sketch.widgets, properties: sketch.properties ?? {} },
      outputs: (sketch.outputs ?? []).map((type) => ({ name: type, type })),
    };
  });
  for (const [slot, [from, fromSlot]] of to.entries()) {
    links.push({ id: links.length + 1, origin_id: from, origin_slot: fromSlot, target_id: -20, target_slot: slot });
  }
  return { nodes, links, outputs: to.map((_, slot) => ({ name: `out ${slot}` })) };
}

const LOADER: UiSketch = {
  ...{ id: 1, type: 'CheckpointLoaderSimple', widgets: ['c'], outputs: ['MODEL', 'CLIP', 'VAE'] },
};
const LATENT: UiSketch = { id: 4, type: 'EmptyLatentImage', widgets: [64, 64, 1], outputs: ['LATENT'] };

/** A plain workflow of seven nodes; more and others by id. */
export function plain(changes: Readonly<Record<number, Partial<UiSketch>>> = {}, more: readonly UiSketch[] = []) {
  const text = (id: number, value: string): UiSketch => {
    return { id, type: 'CLIPTextEncode', widgets: [value], from: { clip: [1, 1, 'CLIP'] }, outputs: ['CONDITIONING'] };
  };
  const sampler: UiSketch = {
    ...{ id: 5, type: 'KSampler', widgets: [7, 'fixed', 20, 8, 'euler', 'normal', 1], outputs: ['LATENT'] },
    from: {
      ...{ model: [1, 0, 'MODEL'], positive: [2, 0, 'CONDITIONING'], negative: [3, 0, 'CONDITIONING'] },
      latent_image: [4, 0, 'LATENT'],
    },
  };
  const decode: UiSketch = {
    ...{ id: 6, type: 'VAEDecode', outputs: ['IMAGE'] },
    from: { samples: [5, 0, 'LATENT'], vae: [1, 2, 'VAE'] },
  };
  const save: UiSketch = { id: 7, type: 'SaveImage', widgets: ['x'], from: { images: [6, 0, 'IMAGE'] } };
  const all = [LOADER, text(2, 'good'), text(3, 'bad'), LATENT, sampler, decode, save];
  return [...all.map((sketch) => ({ ...sketch, ...changes[Number(sketch.id)] })), ...more];
}

type ApiNode = { class_type: string; inputs: Record<string, unknown> };

/** The same in the API's format; `change` may do to it what it likes. */
export function plainApi(change: (nodes: Record<string, ApiNode>) => void = () => {}): Record<string, ApiNode> {
  const text = (value: string): ApiNode => ({ class_type: 'CLIPTextEncode', inputs: { text: value, clip: ['1', 1] } });
  const nodes: Record<string, ApiNode> = {
    1: { class_type: 'CheckpointLoaderSimple', inputs: { ckpt_name: 'c' } },
    2: text('good'),
    3: text('bad'),
    4: { class_type: 'EmptyLatentImage', inputs: { width: 64, height: 64, batch_size: 1 } },
    5: {
      class_type: 'KSampler',
      inputs: {
        ...{ seed: 7, steps: 20, cfg: 8, sampler_name: 'euler', scheduler: 'normal', denoise: 1 },
        ...{ model: ['1', 0], positive: ['2', 0], negative: ['3', 0], latent_image: ['4', 0] },
      },
    },
    6: { class_type: 'VAEDecode', inputs: { samples: ['5', 0], vae: ['1', 2] } },
    7: { class_type: 'SaveImage', inputs: { filename_prefix: 'x', images: ['6', 0] } },
  };
  change(nodes);
  return nodes;
}

/** A plain workflow with inputs of node 5 (or another) linked otherwise, and more nodes. */
export function linked(from: UiSketch['from'], more: readonly UiSketch[], id = 5): UiSketch[] {
  return plain({}, more).map((node) => (node.id === id ? { ...node, from: { ...node.from, ...from } } : node));
}
