/** A name and a value, as the detail panel lists them. */
export type ClientFact = readonly [name: string, value: string];

/** What the script of a page knows of one site. */
export interface ClientSite {
  /** Lines of the detail panel that hold at every step. */
  readonly facts: readonly ClientFact[];
  /** Which of `states` the site is in, by step; none where steps do not matter to it. */
  readonly at: readonly number[];
  /** The stride asked at each step. */
  readonly asked: readonly string[];
  readonly states: readonly ClientState[];
}

/** One of the few states that a site is in over a run. */
export interface ClientState {
  /** Text in the cell. */
  readonly label: string;
  /** 0 to 1, for the colour. */
  readonly shade: number;
  readonly facts: readonly ClientFact[];
  /** Columns of the table of sites that change: text, and the number to sort by. */
  readonly columns: Readonly<Record<string, readonly [text: string, value: number | null]>>;
}

/** One step: its line above the map, and the figures beside it. */
export interface ClientStep {
  readonly title: string;
  readonly figures: readonly string[];
}

/** What a page's script is given. */
export interface ClientData {
  readonly sites: readonly ClientSite[];
  readonly steps: readonly ClientStep[];
}
