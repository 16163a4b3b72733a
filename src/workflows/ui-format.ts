import { isObject, type JsonObject } from '../documents/index.ts';
import { SlothfulError } from '../errors.ts';
import { classOf, widgetsOf } from './classes.ts';
import type { Definition } from './definition.ts';
import { sentPrompt } from './dynamic-prompt.ts';
import { expectFew, type FlatGraph, type FlatInput, type FlatNode, type FlatValue } from './flat.ts';
import { groupOf, readGroupNodes, type UnknownGroup } from './group-nodes.ts';
import { readSubgraphs } from './subgraphs.ts';
import { BYPASSED, givenValue, MUTED, type Scope, type Source, sourceOf } from './ui-links.ts';
import { readUiLinks, readUiNodes, type UiNode } from './ui-nodes.ts';
import { widgetValues } from './widget-values.ts';

/** Nodes that are the page's alone: they compute nothing. */
const VIRTUAL: readonly string[] = ['PrimitiveNode', 'Reroute', 'Note', 'MarkdownNote'];
/** Subgraphs in one another. */
const DEEPEST = 32;

/** What nodes of a workflow can stand for. */
interface Definitions {
  readonly place: string;
  readonly subgraphs: ReadonlyMap<string, Definition>;
  readonly groups: ReadonlyMap<string, Definition | UnknownGroup>;
}

/** Whether it is a workflow as the page saves it. */
export function isUiFormat(value: unknown): value is JsonObject {
  return isObject(value) && Array.isArray(value.nodes);
}

/**
 * The graph of a saved workflow (schema 0.4 or 1): widgets by name, subgraphs and group nodes taken apart, and links
 * followed to what computes. Where lines bend (native reroutes), floating links and groups say nothing.
 *
 * @param place the file, for messages
 * @throws SlothfulError `bad-input` where it is not what the page writes; links that lead nowhere are left to who needs them
 */
export function readUiFormat(workflow: JsonObject, place: string): FlatGraph {
  const extra = isObject(workflow.extra) ? workflow.extra : {};
  const definitions: Definitions = {
    place,
    subgraphs: readSubgraphs(workflow.definitions, place),
    groups: readGroupNodes(extra.groupNodes, place),
  };
  const root: Scope = {
    prefix: '',
    nodes: readUiNodes(workflow.nodes, place),
    links: readUiLinks(workflow.links, place),
    host: null,
    inner: new Map(),
  };
  const scopes = withInside(root, definitions, { nodes: 0 });
  const flat = scopes.flatMap((scope) => flatNodes(scope, definitions));
  return { place, format: 'ui', nodes: new Map(flat.map((node) => [node.id, node])) };
}

/** A graph and those inside of its nodes, however deep. */
function withInside(scope: Scope, definitions: Definitions, total: { nodes: number }): Scope[] {
  total.nodes += scope.nodes.size;
  expectFew(total.nodes, definitions.place);
  const inside = [...scope.nodes.values()].filter(isActive).flatMap((node) => {
    const definition = definitionOf(node, definitions);
    return definition && !('unknown' in definition) ? [open(scope, node, definition, definitions.place)] : [];
  });
  for (const inner of inside) scope.inner.set(inner.host?.node.id ?? '', inner);
  return [scope, ...inside.flatMap((inner) => withInside(inner, definitions, total))];
}

function isActive({ mode }: UiNode): boolean {
  return mode !== MUTED && mode !== BYPASSED;
}

function definitionOf(node: UiNode, { subgraphs, groups }: Definitions): Definition | UnknownGroup | undefined {
  return subgraphs.get(node.type) ?? groupOf(node.type, groups);
}

function open(scope: Scope, node: UiNode, definition: Definition, place: string): Scope {
  const around: Definition[] = [];
  for (let host = scope.host; host; host = host.scope.host) around.push(host.definition);
  if (around.includes(definition) || around.length >= DEEPEST) {
    const problem = around.includes(definition)
      ? `subgraph "${definition.name}" has itself inside, by node ${scope.prefix}${node.id}`
      : `has subgraphs more than ${DEEPEST} deep in one another`;
    throw new SlothfulError('bad-input', place, problem);
  }
  const { nodes, links } = definition;
  const host = { scope, node, definition, values: definition.valuesOf(node) };
  return { prefix: `${scope.prefix}${node.id}:`, nodes, links, host, inner: new Map() };
}

function flatNodes(scope: Scope, definitions: Definitions): FlatNode[] {
  const computing = [...scope.nodes.values()].filter((node) => {
    return isActive(node) && !VIRTUAL.includes(node.type) && !scope.inner.has(node.id);
  });
  return computing.map((node) => {
    const unknown = definitionOf(node, definitions);
    const because =
      unknown && 'unknown' in unknown ? `a group node with ${unknown.unknown.join(', ')} inside` : undefined;
    return {
      ...{ id: `${scope.prefix}${node.id}`, classType: node.type, title: node.title, because },
      inputs: inputsOf(scope, node),
      listed: Array.isArray(node.widgetsValues) ? node.widgetsValues : undefined,
    };
  });
}

/** Values of widgets, and over them what is linked: a widget keeps an old value when it is turned into an input. */
function inputsOf(scope: Scope, node: UiNode): Map<string, FlatInput> {
  const inputs = new Map<string, FlatInput>();
  const nodeClass = classOf(node.type);
  const prompts = nodeClass ? widgetsOf(nodeClass).filter((widget) => widget.dynamicPrompts) : [];
  const asSent = (name: string, input: FlatValue) => (prompts.some((each) => each.name === name) ? sent(input) : input);
  for (const [name, { value, control }] of nodeClass ? widgetValues(nodeClass, node.widgetsValues) : []) {
    const given = givenValue(scope, node.id, name) ?? value;
    if (given !== undefined) inputs.set(name, asSent(name, { kind: 'value', value: given, control }));
  }
  for (const [slot, { name, type, link }] of node.inputs.entries()) {
    const source = link === null ? undefined : sourceOf(scope, node, slot);
    // The page's primitives write into the widget, which then sends it as its own.
    const input = source?.kind === 'value' ? asSent(name, source) : source && flatInput(source, type, inputs.get(name));
    if (input) inputs.set(name, input);
  }
  return inputs;
}

function sent(input: FlatValue): FlatValue {
  if (typeof input.value !== 'string') return input;
  const { text, isDrawn } = sentPrompt(input.value);
  return { ...input, value: text, isDrawn };
}

function flatInput(source: Source, type: string, own: FlatInput | undefined): FlatInput | undefined {
  switch (source.kind) {
    case 'output':
      return { kind: 'link', node: `${source.scope.prefix}${source.node.id}`, slot: source.slot, type };
    case 'promoted':
      return { kind: 'value', value: source.value, control: own?.kind === 'value' ? own.control : undefined };
    case 'none':
      return own;
    default:
      return source;
  }
}
