// Tells the graph of the node that stands for an attention.
import './node/shape-rule.ts';

export { locate } from './locate.ts';
export * from './node/index.ts';
export { findSkips, type SkipConnection } from './placing/terrain.ts';
export { findUpJoints, type UpJoint } from './placing/up-joints.ts';
export { probeShapes } from './probe.ts';
export type { AttentionSite, Block, ChannelPart, Location, Projection, Rejection, TokenForm } from './site.ts';
export { type Survey, surveyGraph } from './survey.ts';
