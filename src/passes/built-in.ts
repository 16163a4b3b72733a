/*
 * The passes of the toolkit: a folder each, and a line here. Whoever loads one makes it known by its name.
 */
export * from './control-net/definition.ts';
export * from './deepcache/definition.ts';
export * from './freeu/definition.ts';
export * from './pag/definition.ts';
export * from './slothful/index.ts';
