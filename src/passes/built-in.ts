import { CONTROL_NET } from './control-net/control-net.ts';
import { DEEPCACHE } from './deepcache/definition.ts';
import { FREEU } from './freeu/definition.ts';
import { PAG } from './pag/definition.ts';
import { registerBuiltIn } from './registry.ts';
import { SLOTHFUL, SLOTHFUL_SECOND } from './slothful/definition.ts';

/** The passes of the toolkit: a folder each, and a line here. */
registerBuiltIn([SLOTHFUL, SLOTHFUL_SECOND, CONTROL_NET, FREEU, DEEPCACHE, PAG]);
