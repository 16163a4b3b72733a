import { loadedBytes } from '../../../src/graph/index.ts';
import {
  clipTextEncoder,
  loadModel,
  type PromptEncoder,
  pipelineText,
  readModel,
  textConditioning,
} from '../../../src/node.ts';
import { parseBackend } from '../backend-name.ts';
import { printReport } from '../report.ts';

/**
 * Loads the text encoders of a pipeline and encodes a prompt and a negative prompt of one chunk each, several times.
 *
 * Reported: `load` (seconds of loading), `<turn>/seconds`, `weights` (bytes of the encoders' weights in float32).
 */
const [pipeline = '', backend = 'native', turns = '3'] = process.argv.slice(2);
const PROMPTS = { prompt: 'a photograph of an astronaut riding a horse', negative: 'blurry, low quality' };
const values: Record<string, number> = {};

const start = performance.now();
const { encoders, weights } = await loadEncoders();
values.load = (performance.now() - start) / 1000;
values.weights = weights;
for (let turn = 0; turn < Math.max(1, Number(turns)); turn++) await measure(turn);
printReport(values);

async function loadEncoders() {
  const { store } = await readModel(pipeline);
  if (!store.pipeline) throw new Error(`${pipeline} is no pipeline`);
  const encoders: PromptEncoder[] = [];
  let weights = 0;
  for (const { store: part, tokenizer } of await pipelineText(store.pipeline)) {
    const model = await loadModel(part, { backend: parseBackend(backend) });
    encoders.push(clipTextEncoder(model, tokenizer));
    for (const group of model.graph.weightGroups) for (const spec of group.weights) weights += loadedBytes(spec);
  }
  return { encoders, weights };
}

async function measure(turn: number): Promise<void> {
  const begin = performance.now();
  const { cond } = await textConditioning({ encoders }, PROMPTS);
  values[`${turn}/seconds`] = (performance.now() - begin) / 1000;
  const [first] = cond.encoder_hidden_states?.data ?? [];
  if (!Number.isFinite(first)) throw new Error(`a prompt gave ${first}`);
}
