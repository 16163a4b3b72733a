import type { Drawing, DrawnNode, Role } from './extract.ts';

const LOOKS: Readonly<Record<Role, string>> = {
  inside: 'shape=box, style=rounded',
  input: 'shape=plain, fontcolor="#555555"',
  weight: 'shape=box, style=filled, fillcolor="#ece6d8"',
  after: 'shape=box, style="rounded,dashed"',
};

/** Drawings as one Graphviz digraph, a cluster each. */
export function printDot(drawings: readonly Drawing[]): string {
  const clusters = drawings.map((drawing, index) => cluster(drawing, index));
  return `digraph slothful {\n  node [fontname="sans-serif", fontsize=10];\n${clusters.join('\n')}\n}\n`;
}

function cluster({ title, nodes, edges }: Drawing, index: number): string {
  const id = (name: string) => quote(`${index}/${name}`);
  const lines = [
    `  subgraph cluster_${index} {`,
    `    label=${quote(title)};`,
    ...nodes.map((node) => `    ${id(node.name)} [label=${quote(labelOf(node).join('\n'))}, ${LOOKS[node.role]}];`),
    ...edges.map(([from, to]) => `    ${id(from)} -> ${id(to)};`),
    '  }',
  ];
  return lines.join('\n');
}

/** What is written on a node: its op, the end of its name, and its shape. */
export function labelOf({ name, op, role, shape }: DrawnNode): string[] {
  const size = shape ? [`[${shape.join(', ')}]`] : [];
  const short = /(?:[^/]+\/)?(?:\d+\/)?[^/]+$/.exec(name)?.[0] ?? name;
  return role === 'weight' || role === 'input' ? [short, ...size] : [op, short, ...size];
}

function quote(text: string): string {
  return `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')}"`;
}
