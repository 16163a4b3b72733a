import { SlothfulError } from '../errors.ts';
import { type Attributes, attr } from './attributes.ts';
import { type ConstantValue, constantBytes, constantFromInline, inlineConstant } from './constant.ts';
import {
  type Endpoint,
  endpoint,
  type GraphNode,
  type GraphView,
  type JsonObject,
  sameEndpoint,
  type Use,
} from './document.ts';
import { type ParsedModel, parseModelJson, readModelJson, writeNode } from './model-json.ts';
import { type PassOf, runPasses } from './pass.ts';
import { outputNodes, unneededNodes } from './traverse.ts';
import { checkEdit, composeEdits, editConstant, editShape, type WeightEdit } from './weight-edit.ts';
import type { WeightGroup, WeightSpec } from './weights.ts';

/** A named change of a graph: a value, made by a function of its options, run by `graph.transform`. */
export interface Pass extends PassOf<Graph> {}

/**
 * A TF.js graph model as a document: nodes, weights manifest, signature and metadata, without the weights' bytes.
 *
 * Nodes are immutable values; edits replace them, so that a pass can keep what it has read. Constants that were added
 * here carry their bytes (`addedConstants`) until a writer or loader stores them.
 */
export class Graph implements GraphView {
  private readonly byName = new Map<string, GraphNode>();
  private readonly known = new Map<string, ConstantValue>();
  /** By node, the names of those that read it, or once did: edits add to it, and `consumers` looks again. */
  private readers: Map<string, Set<string>> | undefined;
  private manifest: WeightGroup[];
  private added = new Map<string, ConstantValue>();
  private edits = new Map<string, WeightEdit>();
  private model: ParsedModel;

  private constructor(model: ParsedModel) {
    this.model = model;
    this.manifest = [...model.weights];
    for (const node of model.nodes) this.keepNode(node);
  }

  /** Reads the text of a model.json. @throws SlothfulError `bad-model` */
  static parse(text: string, place?: string): Graph {
    return new Graph(parseModelJson(text, place));
  }

  /** Reads a parsed model.json. @throws SlothfulError `bad-model` */
  static fromJson(value: unknown, place?: string): Graph {
    return new Graph(readModelJson(value, place));
  }

  /** An empty graph to build on. */
  static create(header: { generatedBy?: string; convertedBy?: string } = {}): Graph {
    return Graph.fromJson({ format: 'graph-model', ...header, modelTopology: { node: [], versions: {} } });
  }

  private keepNode(node: GraphNode): void {
    if (this.byName.has(node.name)) {
      throw new SlothfulError(
        'bad-graph',
        `node "${node.name}"`,
        'is there twice',
        'TF.js would silently use the last',
      );
    }
    this.byName.set(node.name, node);
    const inline =
      node.op === 'Const' ? constantFromInline(node.attributes.value?.tensor, `node "${node.name}"`) : undefined;
    if (inline) this.known.set(node.name, inline);
    this.noteReader(node);
  }

  /** All nodes, in the order of the document. */
  get nodes(): IterableIterator<GraphNode> {
    return this.byName.values();
  }

  get size(): number {
    return this.byName.size;
  }

  node(name: string): GraphNode | undefined {
    return this.byName.get(name);
  }

  /** The node, or an error that names what wanted it. */
  expectNode(name: string, wantedBy: string): GraphNode {
    const node = this.byName.get(name);
    if (!node) throw new SlothfulError('bad-graph', wantedBy, `needs the node "${name}", which is not there`);
    return node;
  }

  /** Every data input that reads an output of the node. */
  consumers(name: string): readonly Use[] {
    const found: Use[] = [];
    for (const reader of this.readersOf(name)) {
      const node = this.byName.get(reader);
      node?.inputs.forEach(({ node: source, output }, slot) => {
        if (source === name) found.push({ node, slot, output });
      });
    }
    return found;
  }

  private readersOf(name: string): Iterable<string> {
    if (!this.readers) {
      this.readers = new Map();
      for (const node of this.byName.values()) this.noteReader(node);
    }
    return this.readers.get(name) ?? [];
  }

  private noteReader(node: GraphNode): void {
    if (!this.readers) return;
    for (const { node: source } of node.inputs) {
      const known = this.readers.get(source);
      if (known) known.add(node.name);
      else this.readers.set(source, new Set([node.name]));
    }
  }

  /** Adds a node. @throws SlothfulError `bad-graph` when the name is taken */
  add(node: {
    name: string;
    op: string;
    inputs?: readonly Endpoint[];
    controls?: readonly string[];
    attributes?: Attributes;
  }): Endpoint {
    this.keepNode({ inputs: [], controls: [], attributes: {}, ...node });
    return endpoint(node.name);
  }

  /** Replaces a node by another of the same name. */
  replace(node: GraphNode): void {
    this.expectNode(node.name, 'replace');
    this.byName.set(node.name, node);
    this.noteReader(node);
  }

  /** Removes a node; its users must have been redirected. */
  remove(name: string): void {
    this.byName.delete(name);
    this.known.delete(name);
    this.edits.delete(name);
  }

  /** Makes every user of `from` read `to` instead, but for the nodes in `except`. */
  redirect(from: Endpoint, to: Endpoint, except: ReadonlySet<string> = new Set()): void {
    const users = new Set(
      this.consumers(from.node)
        .filter((use) => use.output === from.output)
        .map((use) => use.node.name),
    );
    for (const name of users) {
      if (!except.has(name)) this.rewire(name, from, to);
    }
  }

  /** Makes one node read `to` wherever it reads `from`. */
  rewire(name: string, from: Endpoint, to: Endpoint): void {
    const node = this.byName.get(name);
    if (node) this.replace({ ...node, inputs: node.inputs.map((input) => (sameEndpoint(input, from) ? to : input)) });
  }

  /** A name that no node has: `prefix`, or `prefix_1`, `prefix_2`, ... */
  uniqueName(prefix: string): string {
    let name = prefix;
    for (let count = 1; this.byName.has(name); count++) name = `${prefix}_${count}`;
    return name;
  }

  /** The values of a small Const, from the document or as `knowConstant` was told; undefined when not known. */
  constant(name: string): ConstantValue | undefined {
    return this.known.get(name);
  }

  /** Tells the values of a small Const that a reader found in the shards. */
  knowConstant(name: string, value: ConstantValue): void {
    const edit = this.edits.get(name);
    if (this.byName.has(name)) this.known.set(name, edit ? editConstant(value, edit) : value);
  }

  /** Adds a small constant, values and all. */
  addConstant(name: string, value: ConstantValue): Endpoint {
    const attributes = { dtype: attr.type(value.dtype), value: inlineConstant(value) };
    const added = this.add({ name, op: 'Const', attributes });
    this.known.set(name, value);
    this.added.set(name, value);
    return added;
  }

  /** Constants that were added since the document was read, whose bytes are in no shard yet. */
  get addedConstants(): ReadonlyMap<string, ConstantValue> {
    return this.added;
  }

  /** The weights manifest of the document that was read or set; added constants are not in it. */
  get weightGroups(): readonly WeightGroup[] {
    return this.manifest;
  }

  /**
   * Sets the manifest after a writer has stored the weights. Added constants named in it count as stored, so a writer
   * that appends a group for them calls this with that group included.
   */
  setWeightGroups(groups: readonly WeightGroup[]): void {
    this.manifest = [...groups];
    for (const { weights } of groups) for (const { name } of weights) this.added.delete(name);
  }

  /** The spec of a weight as the nodes read it, stored or added. */
  weight(name: string): WeightSpec | undefined {
    const constant = this.added.get(name);
    if (constant) return { name, shape: constant.shape, dtype: constant.dtype };
    const stored = this.weightIndex().get(name);
    const edit = this.edits.get(name);
    return stored && edit ? { ...stored, shape: editShape(stored.shape, edit) } : stored;
  }

  /**
   * Changes a weight. The bytes of a stored one stay as they are: the loader applies the edit as it reads them, and
   * `weight` tells the shape that comes of it. Nodes that read the weight are the caller's to respell. A document with
   * edits is for running, and is refused by `toJson`.
   *
   * @throws SlothfulError `bad-graph` where there is no such weight, or the edit does not fit its shape
   */
  editWeight(name: string, edit: WeightEdit): void {
    const spec = this.weight(name);
    if (!spec) throw new SlothfulError('bad-graph', `weight "${name}"`, 'is not there, and shall be edited');
    checkEdit(spec, edit);
    const known = this.known.get(name);
    if (known) this.known.set(name, editConstant(known, edit));
    const added = this.added.get(name);
    if (added) this.replaceAdded(name, editConstant(added, edit));
    else this.keepEdit(name, composeEdits(this.edits.get(name), edit));
  }

  private replaceAdded(name: string, value: ConstantValue): void {
    const node = this.expectNode(name, 'editWeight');
    this.replace({ ...node, attributes: { ...node.attributes, value: inlineConstant(value) } });
    this.added.set(name, value);
  }

  private keepEdit(name: string, edit: WeightEdit | undefined): void {
    if (edit) this.edits.set(name, edit);
    else this.edits.delete(name);
  }

  /** Edits of stored weights, by the weights' names: what a loader has to do to what it reads. */
  get weightEdits(): ReadonlyMap<string, WeightEdit> {
    return this.edits;
  }

  private weightIndex(): Map<string, WeightSpec> {
    if (this.indexed?.of !== this.manifest) {
      const map = new Map(this.manifest.flatMap((group) => group.weights).map((spec) => [spec.name, spec] as const));
      this.indexed = { of: this.manifest, map };
    }
    return this.indexed.map;
  }
  private indexed: { of: WeightGroup[]; map: Map<string, WeightSpec> } | undefined;

  /** Bytes of the added constants, in the order of `addedConstants`. */
  addedBytes(): Uint8Array[] {
    return [...this.added.values()].map(constantBytes);
  }

  /** `userDefinedMetadata`. */
  get metadata(): JsonObject {
    return this.model.metadata;
  }

  setMetadata(metadata: JsonObject): void {
    this.model = { ...this.model, metadata };
  }

  get signature(): JsonObject | undefined {
    return this.model.signature;
  }

  setSignature(signature: JsonObject): void {
    this.model = { ...this.model, signature };
  }

  /**
   * Removes the nodes that no output needs.
   *
   * Kept: the outputs, placeholders, and everything that a signature or an initializer names. The manifest is not
   * changed: the bytes stay in shared shards, and TF.js ignores weights that no node uses.
   *
   * @param outputs names of the output nodes, by default those of the signature. A pass that leaves dead ends in a graph
   *   without a signature must take them before it begins: after it a dead end looks like an output
   * @returns the removed names
   */
  prune(outputs: readonly string[] = outputNodes(this)): string[] {
    const dead = unneededNodes(this, outputs);
    for (const name of dead) this.remove(name);
    return dead;
  }

  /** Runs passes in order; each is linted before and after and recorded. On an error the document is unchanged. */
  async transform(...passes: readonly Pass[]): Promise<this> {
    const result = await runPasses(this.clone(), passes);
    this.adopt(result);
    return this;
  }

  clone(): Graph {
    const copy = new Graph({ ...this.model, nodes: [...this.byName.values()], weights: [...this.manifest] });
    for (const [name, value] of this.known) copy.known.set(name, value);
    copy.added = new Map(this.added);
    copy.edits = new Map(this.edits);
    return copy;
  }

  private adopt(other: Graph): void {
    this.model = other.model;
    this.manifest = other.manifest;
    this.added = other.added;
    this.edits = other.edits;
    this.byName.clear();
    this.known.clear();
    for (const node of other.nodes) this.byName.set(node.name, node);
    for (const [name, value] of other.known) this.known.set(name, value);
    this.readers = undefined;
  }

  /** The nodes as model.json spells them, under `modelTopology`. */
  topology(): JsonObject {
    return { versions: {}, ...this.model.topologyRest, node: [...this.byName.values()].map(writeNode) };
  }

  /**
   * The model.json, with the manifest as it was set. Added constants must have been stored by then.
   *
   * @throws SlothfulError `unsupported` where stored weights were edited: the manifest's files do not have the edits
   */
  toJson(): JsonObject {
    const edited = this.edits.keys().next().value;
    if (edited !== undefined) {
      const problem = `was changed by a pass that edits weights (${this.edits.size} in all), and its file was not`;
      const cure = 'such a pass is applied while a model is loaded; write the model without it';
      throw new SlothfulError('unsupported', `weight "${edited}"`, problem, cure);
    }
    return {
      format: 'graph-model',
      ...this.model.rest,
      ...(this.model.signature ? { signature: this.model.signature } : {}),
      userDefinedMetadata: this.model.metadata,
      modelTopology: this.topology(),
      weightsManifest: this.manifest,
    };
  }

  /** Top-level fields of the model.json that the document carries through unread. */
  get extras(): JsonObject {
    return this.model.rest;
  }
}
