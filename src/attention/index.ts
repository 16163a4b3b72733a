export { locate } from './locate.ts';
export type { AttentionSite, Block, Location, Projection, Rejection, TokenForm } from './site.ts';
export { findSkips, type SkipConnection } from './skip-connections.ts';
