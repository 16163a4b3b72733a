/** What the empty tensors that single files carry as marks say about sampling. */
export interface Markers {
  /** The fields of a scheduler config that the marks set; undefined where there are none. */
  readonly schedulerConfig?: { prediction_type: 'v_prediction'; rescale_betas_zero_snr: boolean };
  readonly notes: readonly string[];
}

/**
 * Reads the marks of an SDXL single file: such a file has no scheduler config, and a v-prediction model sampled as an
 * epsilon one gives noise.
 *
 * Source: the tensor names `v_pred`, `ztsnr`, `edm_*` as ComfyUI's model detection looks for them.
 */
export function readMarkers(names: ReadonlySet<string>): Markers {
  const edm = [...names].find((name) => /^edm_(?:mean|std|vpred\.sigma_(?:max|min))$/.test(name));
  if (edm)
    return { notes: [`is marked "${edm}": it was trained with EDM noise levels, which the samplers do not have`] };
  if (!names.has('v_pred')) return { notes: [] };
  const rescale = names.has('ztsnr');
  return {
    schedulerConfig: { prediction_type: 'v_prediction', rescale_betas_zero_snr: rescale },
    notes: [`is marked as a v-prediction model${rescale ? ' with zero terminal SNR' : ''}`],
  };
}
