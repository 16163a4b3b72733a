import {
  choice,
  type DocumentOf,
  integer,
  list,
  named,
  nullable,
  number,
  object,
  parameterSchema,
  text,
} from '../documents/index.ts';
import { FAMILY_NAMES } from '../families/index.ts';
import { SLOTHFUL } from '../passes/index.ts';

/** What the schemas of the three reports are made of. Sizes are bytes, counts plain numbers, shares 0 to 1. */

const size = (description?: string) => integer({ minimum: 1, ...(description ? { description } : {}) });

/** A number of things, which may be none. */
export const COUNT = integer({ minimum: 0 });
export const NAMES = list(text());
export const FLOPS = number({
  minimum: 0,
  description: 'two for each multiply-add of a matrix product or convolution, for the whole batch',
});

/** The size that a report is for. */
export const REPORT_SIZE = named(
  'size',
  object(
    {
      rows: size(),
      columns: size(),
      batch: size('samples that are evaluated at once; guidance doubles them'),
      context_tokens: size('tokens of the text'),
      pixels: object({ width: size(), height: size() }, { description: 'of the picture' }),
    },
    { description: 'the size that the report is for; rows and columns are of the sample (latent)' },
  ),
);
export type ReportSize = DocumentOf<typeof REPORT_SIZE>;

/** The size at which any model is looked at. */
export const LOOK_SIZE = named(
  'size',
  object(
    {
      rows: nullable(size()),
      columns: nullable(size()),
      batch: size('samples that are evaluated at once; guidance doubles them'),
      context_tokens: nullable(size(), { description: 'tokens of the text; null where none enters' }),
      pixels: nullable(object({ width: size(), height: size() }), { description: 'of the picture' }),
    },
    {
      description:
        'the size that the report is for; rows and columns are of the sample (latent), null where no picture enters',
    },
  ),
);
export type LookSize = DocumentOf<typeof LOOK_SIZE>;

/** Which family of UNets a model is of, and what says so. */
export const FAMILY = named(
  'family',
  object({
    name: nullable(text(), { description: `${FAMILY_NAMES.join(', ')}; null where nothing fits` }),
    basis: text({ description: 'what says so' }),
  }),
);
export type FamilyGuess = DocumentOf<typeof FAMILY>;

/** Parameters of Slothful Attention as a model or a run has them. */
export const REPORT_PARAMETERS = named('parameters', {
  ...parameterSchema(SLOTHFUL.parameters),
  description: 'parameters of the full node, by its own names',
});

/** What every report says of an attention first; the same words in all of them. */
export const SITE_PLACE = {
  id: text({ description: 'block.level.attention.transformer, with .cross for a cross-attention' }),
  kind: choice(['self', 'cross']),
  exporter_name: text({ description: 'name scope that the exporter gave it' }),
};

/** What a report says of the make of an attention. Null where it needs constants that the document does not hold. */
export const SITE_MAKE = {
  block: choice(['input', 'middle', 'output']),
  level: COUNT,
  downscale: size('by side, against the sample'),
  channels: size(),
  heads: nullable(size()),
  head_dim: nullable(number()),
  grid: nullable(list(size(), { minItems: 2, maxItems: 2 }), { description: 'rows and columns of the tokens' }),
};
