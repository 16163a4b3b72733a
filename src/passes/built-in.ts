import { CONTROL_NET } from './control-net/control-net.ts';
import { registerBuiltIn } from './registry.ts';
import { SLOTHFUL } from './slothful/definition.ts';

/** The passes of the toolkit: a folder each, and a line here. */
registerBuiltIn([SLOTHFUL, CONTROL_NET]);
