export { locate } from './locate.ts';
export type { AttentionSite, Block, Location, Projection, Rejection, TokenForm } from './site.ts';
