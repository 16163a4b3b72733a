import { type Graph, type GraphNode, inputLayout, type PictureLayout, readShape, readType } from '../graph/index.ts';

/** The input of a model that a picture, or its latent, enters by. */
export interface PictureInput {
  readonly name: string;
  readonly shape: readonly number[];
  readonly layout: PictureLayout;
}

interface Declared {
  readonly node: GraphNode;
  readonly shape: readonly number[];
}

function declaredInputs(graph: Graph): Declared[] {
  return [...graph.nodes].flatMap((node) => {
    const shape = node.op === 'Placeholder' ? readShape(node.attributes, 'shape') : undefined;
    return shape ? [{ node, shape }] : [];
  });
}

const isFloat = ({ node }: Declared): boolean => (readType(node.attributes, 'dtype') ?? 'float32') === 'float32';

/** Masks of attentions have four axes too: [B, 1, 1, T] or [B, 1, N, T]. */
const isMask = ({ node, shape }: Declared): boolean => /mask/i.test(node.name) && shape[1] === 1;

/** The placeholder that holds the noisy sample: the one of that name, or else the first of rank 4; undefined: no picture enters. */
export function pictureInput(graph: Graph): PictureInput | undefined {
  const images = declaredInputs(graph).filter((each) => each.shape.length === 4 && isFloat(each) && !isMask(each));
  const found = images.find(({ node }) => node.name === 'sample') ?? images[0];
  return found && { name: found.node.name, shape: found.shape, layout: inputLayout(graph, found.node.name) };
}

/** The placeholder that holds text: embeddings [B, T, C], or ids [B, T] of any number; undefined: no text enters. */
export function textInput(graph: Graph): { readonly name: string; readonly shape: readonly number[] } | undefined {
  const inputs = declaredInputs(graph);
  const texts = inputs.filter((each) => each.shape.length === 3 && isFloat(each));
  const ids = inputs.filter((each) => each.shape.length === 2 && !isFloat(each) && (each.shape[1] ?? 0) < 0);
  const found = texts.find(({ node }) => node.name === 'encoder_hidden_states') ?? texts[0] ?? ids[0];
  return found && { name: found.node.name, shape: found.shape };
}

/** Channels of a picture input; -1 where any number will do. */
export function channelsOf({ shape, layout }: PictureInput): number {
  return shape[layout === 'nchw' ? 1 : 3] ?? -1;
}
