import { readFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { readSampling } from '../../converters/checkpoint/sampling.ts';
import { unetMetadata } from '../../converters/model/index.ts';
import { parseUNetConfig } from '../../converters/unet/index.ts';
import { isObject } from '../../src/documents/index.ts';
import { fixture } from '../support/fixtures.ts';

const test = suite('checkpoint: what a file says of sampling');

function told(from: { names?: string[]; metadata?: Record<string, string>; scheduler?: unknown; called?: string }) {
  const { facts, notes } = readSampling({
    names: new Set(['conv_in.weight', ...(from.names ?? [])]),
    metadata: new Map(Object.entries(from.metadata ?? {})),
    schedulerConfig: from.scheduler,
    called: from.called ?? 'model.safetensors',
  });
  return { ...facts, notes: notes.join(' | ') };
}

const V = 'v_prediction';

/** What files of others say, and what they are taken for. */
const SAID: ReadonlyArray<
  readonly [from: Parameters<typeof told>[0], prediction?: string, zero?: boolean, notes?: RegExp]
> = [
  [{}, undefined, undefined, /^$/],
  [
    { metadata: { 'modelspec.prediction_type': 'v' } },
    V,
    undefined,
    /v-prediction model \(modelspec.prediction_type "v" in its __metadata__\)/,
  ],
  [{ metadata: { 'modelspec.prediction_type': 'v_prediction' } }, V],
  [{ metadata: { 'modelspec.predict_key': 'v' } }, V],
  [{ metadata: { 'modelspec.prediction_type': 'epsilon' } }, 'epsilon', undefined, /^$/],
  [{ metadata: { ss_v_parameterization: 'True', ss_zero_terminal_snr: 'True' } }, V, true, /with zero terminal SNR/],
  [{ metadata: { ss_v_parameterization: 'False', ss_zero_terminal_snr: 'False' } }, 'epsilon', undefined, /^$/],
  [{ metadata: { 'modelspec.architecture': 'stable-diffusion-v2-768-v' } }, V],
  [{ names: ['v_pred'] }, V, undefined, /^is marked as a v-prediction model$/],
  [{ names: ['v_pred', 'ztsnr'] }, V, true, /^is marked as a v-prediction model with zero terminal SNR$/],
  [{ names: ['edm_mean', 'edm_std'] }, undefined, undefined, /"edm_mean".*EDM noise levels/],
  [
    { metadata: { 'modelspec.prediction_type': 'sample' } },
    undefined,
    undefined,
    /"sample".*no sampler has: --prediction-type/,
  ],
  [
    { names: ['v_pred'], metadata: { 'modelspec.prediction_type': 'epsilon' } },
    V,
    undefined,
    /the tensor "v_pred" says v_prediction and modelspec.prediction_type "epsilon" .* taken for the former/,
  ],
  [
    { metadata: { 'modelspec.predict_key': 'v' }, scheduler: { prediction_type: 'epsilon' } },
    undefined,
    undefined,
    /config says epsilon and modelspec.predict_key "v" in its __metadata__ means v_prediction: it is taken for the former, --prediction-type/,
  ],
  [{ metadata: { 'modelspec.predict_key': 'v' }, scheduler: { prediction_type: V } }, undefined, undefined, /^$/],
  [{ metadata: { 'modelspec.predict_key': 'v' }, scheduler: {} }, V],
  [
    { called: 'noobaiXL_vPred10.safetensors' },
    undefined,
    undefined,
    /name hints at v-prediction.*--prediction-type v_prediction/,
  ],
  [{ called: 'mix-v-pred_fp16.safetensors' }, undefined, undefined, /name hints/],
  [{ called: 'mix_v_prediction.safetensors' }, undefined, undefined, /name hints/],
  [{ called: 'vpredator.safetensors' }, undefined, undefined, /^$/],
  [{ called: 'mix_vpred.safetensors', scheduler: { prediction_type: 'epsilon' } }, undefined, undefined, /^$/],
];

for (const [from, prediction, zero, notes] of SAID) {
  test(JSON.stringify(from), () => {
    const found = told(from);
    assert.is(found.prediction_type, prediction);
    assert.is(found.zero_snr, zero);
    if (notes) assert.match(found.notes, notes);
  });
}

test('what is known of sampling goes over the scheduler that a model carries', () => {
  const config = parseUNetConfig(JSON.parse(readFileSync(fixture('unet/sdxl/diffusers/config.json'), 'utf8')));
  const of = (schedulerConfig: unknown, sampling = {}) => {
    const { prediction_type, scheduler } = unetMetadata(config, { schedulerConfig, sampling, dataSpace: 'latent' });
    const { timestep_spacing, rescale_betas_zero_snr } = isObject(scheduler) ? scheduler : {};
    return [prediction_type, timestep_spacing, rescale_betas_zero_snr];
  };
  const whole = { _class_name: 'DDIMScheduler', prediction_type: 'epsilon', timestep_spacing: 'linspace' };
  assert.equal(of(undefined), ['epsilon', 'leading', undefined]);
  assert.equal(of(undefined, { prediction_type: V, zero_snr: true }), [V, 'trailing', true]);
  assert.equal(of(whole), ['epsilon', 'linspace', undefined]);
  assert.equal(of(whole, { prediction_type: V }), [V, 'linspace', undefined]);
  assert.equal(of({ ...whole, rescale_betas_zero_snr: true }, { zero_snr: false }), ['epsilon', 'linspace', false]);
});

test.run();
