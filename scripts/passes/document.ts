import type { DeclaredParameter, DeclaredParameters } from '../../src/documents/index.ts';
import type { PassDefinition } from '../../src/passes/index.ts';
import type { Pair } from './pairs.ts';

/** The text of docs/passes.md: every pass by its declaration, and which of them go together. */
export function passesDocument(passes: readonly PassDefinition[], pairs: readonly Pair[]): string {
  return [
    '# The passes',
    '',
    'Written by `npm run passes` from what the passes declare; [architecture.md](architecture.md) says how they are made. Every command',
    'that takes a model takes them: `--pass NAME,parameter=value,...`, or a flag for each parameter; sweeps have an axis for',
    'each, `NAME_parameter`. Slothful Attention, the first of them, has flags without its name.',
    '',
    '![What each pass does to a picture](figures/passes.png)',
    '',
    ...passes.flatMap(passSection),
    '## Which go together',
    '',
    'Of every two, on the same model, in either order: `+` both act, `-` the second one is refused, for the reason below.',
    '',
    ...pairTable(passes, pairs),
    '',
    ...reasons(pairs),
    '',
  ].join('\n');
}

function passSection({ name, summary, parameters, presets = {} }: PassDefinition): string[] {
  const others = Object.entries(presets).flatMap(([preset, { help, parameters: own }]) => {
    return [`Preset \`${preset}\`, ${help}:`, '', ...parameterTable(own), ''];
  });
  return [`## ${name}`, '', `${capital(summary)}.`, '', ...parameterTable(parameters), '', ...others];
}

function parameterTable(parameters: DeclaredParameters): string[] {
  const rows = Object.entries(parameters).map(([name, parameter]) => {
    const { help, default: fallback } = parameter;
    return `| \`${name}\` | ${fallback ?? ''} | ${rangeOf(parameter)} | ${help.replaceAll('|', '\\|')} |`;
  });
  if (!rows.length) return ['It has no parameters.'];
  return ['| parameter | default | range | what it does |', '|---|---|---|---|', ...rows];
}

function rangeOf(parameter: DeclaredParameter): string {
  if (parameter.type === 'boolean') return 'true, false';
  if (parameter.type === 'choice') return parameter.choices.join(', ');
  if (parameter.type === 'text') return 'a text';
  return `${parameter.min} to ${parameter.max}`;
}

function pairTable(passes: readonly PassDefinition[], pairs: readonly Pair[]): string[] {
  const names = passes.map(({ name }) => name);
  const cell = (one: string, other: string) => {
    const pair = pairs.find(({ first, second }) => [one, other].every((name) => name === first || name === second));
    return one === other || !pair ? '' : pair.refusal === undefined ? '+' : '-';
  };
  return [
    `| | ${names.join(' | ')} |`,
    `|---|${names.map(() => ':-:|').join('')}`,
    ...names.map((one) => `| **${one}** | ${names.map((other) => cell(one, other)).join(' | ')} |`),
  ];
}

function reasons(pairs: readonly Pair[]): string[] {
  return pairs.flatMap(({ first, second, refusal }) => {
    return refusal === undefined ? [] : [`- \`${first}\` and \`${second}\`: ${refusal}`];
  });
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
