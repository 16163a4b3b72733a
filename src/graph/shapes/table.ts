import { type Endpoint, formatEndpoint } from '../document.ts';
import { type AbstractTensor, type Dims, isConcrete, NOTHING, type Values } from './abstract.ts';

/** What `inferShapes` found: the shape of every output of every node, as far as it can be known. */
export class ShapeTable {
  private readonly entries: ReadonlyMap<string, readonly AbstractTensor[]>;

  constructor(entries: ReadonlyMap<string, readonly AbstractTensor[]>) {
    this.entries = entries;
  }

  private at({ node, output }: Endpoint): AbstractTensor {
    return this.entries.get(node)?.[output] ?? NOTHING;
  }

  /** Every size, or undefined where one is not known. */
  shape(of: Endpoint): readonly number[] | undefined {
    const { dims } = this.at(of);
    return dims && isConcrete(dims) ? dims : undefined;
  }

  /** The sizes that are known; undefined where not even the rank is. */
  dims(of: Endpoint): Dims | undefined {
    return this.at(of).dims;
  }

  /** Values of a small tensor, row-major, or undefined where one is not known. */
  values(of: Endpoint): readonly number[] | undefined {
    const { values } = this.at(of);
    return values && isConcrete(values) ? values : undefined;
  }

  /** Values of a small tensor with holes where one is not known. */
  partialValues(of: Endpoint): Values | undefined {
    return this.at(of).values;
  }

  /** Why the shape is not (wholly) known, naming the node that the ignorance starts from; undefined where it is. */
  reason(of: Endpoint): string | undefined {
    if (this.shape(of)) return undefined;
    return this.at(of).reason ?? `"${formatEndpoint(of)}" is not an output that can be reached`;
  }
}
