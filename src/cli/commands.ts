import { lazyCommand } from './define-command.ts';

/** The commands, in the order in which a user comes to need them. */
export const COMMANDS = [
  lazyCommand(
    'convert <checkpoint> <model-dir>',
    'turn a Stable Diffusion UNet or a ControlNet into a TF.js graph model',
    async () => (await import('./commands/convert.ts')).convertCommand,
  ),
  lazyCommand(
    'inspect <model>',
    'list the attentions of a model, with their cost at a size',
    async () => (await import('./commands/inspect.ts')).inspectCommand,
  ),
  lazyCommand(
    'plan <model>',
    'foresee a run: strides, K/V tokens, FLOPs and memory of every site and step',
    async () => (await import('./commands/plan.ts')).planCommand,
  ),
  lazyCommand(
    'patch <model> <out-dir>',
    'rewrite the self-attentions of a model to pool and blend keys and values',
    async () => (await import('./commands/patch.ts')).patchCommand,
  ),
  lazyCommand(
    'diff <a> <b>',
    'say what changed between two models: attentions, nodes, parameters and weights',
    async () => (await import('./commands/diff.ts')).diffCommand,
  ),
  lazyCommand(
    'predict <model>',
    'evaluate a UNet once, from tensors to tensors',
    async () => (await import('./commands/predict.ts')).predictCommand,
  ),
  lazyCommand(
    'run <model>',
    'denoise: from a prompt or text tensors to pictures or latents',
    async () => (await import('./commands/run.ts')).runCommand,
  ),
  lazyCommand(
    'workflow [file]',
    'say what a ComfyUI workflow asks for, or write one of a run',
    async () => (await import('./commands/workflow.ts')).workflowCommand,
  ),
  lazyCommand(
    'sweep <model>',
    'run combinations of parameters into one sheet, page and table of measures',
    async () => (await import('./commands/sweep.ts')).sweepCommand,
  ),
  lazyCommand(
    'demo',
    'convert, inspect, patch and run the embedded checkpoint',
    async () => (await import('./commands/demo.ts')).demoCommand,
  ),
  lazyCommand(
    'setup-native',
    'build the native backend of this project on the TensorFlow of today',
    async () => (await import('./commands/setup-native.ts')).setupNativeCommand,
  ),
] as const;
