export { locate } from './locate.ts';
export { findSkips, type SkipConnection } from './placing/skip-connections.ts';
export type { AttentionSite, Block, Location, Projection, Rejection, TokenForm } from './site.ts';
