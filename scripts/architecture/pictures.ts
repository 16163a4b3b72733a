/** The pictures of docs/architecture.md: the rooms, from their imports, and the way of the data. */
import { printSvg } from '../../src/pages/index.ts';
import { crossings, ROOMS, roomEdges, withoutShortcuts } from './rooms.ts';

/** The rooms that are drawn, by name; converters/... are one. */
const DRAWN = new Map(ROOMS.flatMap(({ name, short }) => (short === undefined ? [] : [[name, short] as const])));

/** The rooms as boxes, each above those that it imports. An edge that follows from others is left out. */
export function roomsPicture(): string {
  const drawnRoom = (room: string) => (room.startsWith('converters/') ? 'converters' : room);
  const edges = withoutShortcuts(
    roomEdges(
      crossings()
        .map((each) => ({ ...each, room: drawnRoom(each.room), other: drawnRoom(each.other) }))
        .filter(({ room, other }) => room !== other && DRAWN.has(room) && DRAWN.has(other)),
    ),
  );
  const nodes = [...DRAWN].map(([op, name]) => ({ name, op, role: 'inside', shape: undefined }) as const);
  const pairs = [...edges].flatMap(([room, others]) => others.map((other) => [shortOf(room), shortOf(other)] as const));
  return printSvg([{ title: 'Each room stands above those that it imports', nodes, edges: pairs }]);
}

function shortOf(room: string): string {
  return DRAWN.get(room) ?? room;
}

/** A function on the way of the data, what it takes and what it gives. */
export interface Way {
  readonly room: string;
  readonly name: string;
  readonly takes: readonly string[];
  readonly gives: string;
}

const WAY_TO_PICTURES: readonly Way[] = [
  { room: 'converters', name: 'convertCheckpoint', takes: ['checkpoint'], gives: 'model on disk' },
  { room: 'models', name: 'ModelFile', takes: ['model on disk'], gives: 'graph' },
  { room: 'attention', name: 'attentionNodes', takes: ['graph'], gives: 'graph of attention nodes' },
  { room: 'passes', name: 'slothful', takes: ['graph of attention nodes'], gives: 'patched graph' },
  { room: 'runtime', name: 'loadUNet', takes: ['patched graph'], gives: 'loaded UNet' },
  { room: 'passes', name: 'controlTable', takes: ['parameters, sigma'], gives: 'control table' },
  { room: 'text', name: 'textConditioning', takes: ['prompt'], gives: 'conditioning' },
  {
    room: 'sampling',
    name: 'denoise',
    takes: ['loaded UNet', 'control table', 'conditioning', 'noise'],
    gives: 'latents',
  },
  { room: 'vae', name: 'decodeLatents', takes: ['latents'], gives: 'picture' },
];

const WAY_TO_PAGES: readonly Way[] = [
  { room: 'pipeline', name: 'openModel', takes: ['model on disk'], gives: 'graph' },
  { room: 'attention', name: 'surveyGraph', takes: ['graph'], gives: 'sites' },
  { room: 'pipeline', name: 'resolveRun', takes: ['flags, recorded parameters'], gives: 'settings, parameters' },
  { room: 'reports', name: 'planGraph', takes: ['sites', 'settings, parameters'], gives: 'plan report' },
  { room: 'pages', name: 'planPage', takes: ['plan report'], gives: 'page' },
];

/** Both ways, for the test that looks for each function in its room. */
export const WAYS: readonly Way[] = [...WAY_TO_PICTURES, ...WAY_TO_PAGES];

/** What becomes what, and by which function of which room. */
export function wayPicture(): string {
  return printSvg([drawingOf('To a picture', WAY_TO_PICTURES), drawingOf('To a plan', WAY_TO_PAGES)]);
}

function drawingOf(title: string, ways: readonly Way[]) {
  const things = new Set(ways.flatMap(({ takes, gives }) => [...takes, gives]));
  return {
    title,
    nodes: [
      ...ways.map(({ room, name }) => ({ name, op: room, role: 'inside', shape: undefined }) as const),
      ...[...things].map((name) => ({ name, op: '', role: 'weight', shape: undefined }) as const),
    ],
    edges: ways.flatMap(({ name, takes, gives }) => [
      ...takes.map((thing) => [thing, name] as const),
      [name, gives] as const,
    ]),
  };
}
