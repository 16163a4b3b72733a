/** Bytes that can be read from any place: a local file, or a file behind a URL. */
export interface ByteSource {
  /** Path or URL, for messages. */
  readonly place: string;
  /** Fills `target` with the bytes from `offset` on; returns how many, fewer only where the file ends. */
  read(offset: number, target: Uint8Array): Promise<number>;
  /** Bytes of the whole file. */
  size(): Promise<number>;
  close(): Promise<void>;
}

/** Where a model lies: its model.json and the files that the weights manifest names. */
export interface ModelStore {
  /** Path or URL of the model.json, for messages. */
  readonly place: string;
  /** The folder on this machine; undefined where the model is behind a URL. */
  readonly folder: string | undefined;
  /** Text of the model.json. @throws SlothfulError `io` */
  text(): Promise<string>;
  /** A file of the weights manifest; it is opened when it is first read. @throws SlothfulError `bad-model` */
  open(shardPath: string): ByteSource;
}
