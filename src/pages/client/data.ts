/** What the script of a page is given: all texts are made where the page is written. */
export interface ClientData {
  readonly sites: readonly ClientSite[];
  readonly steps: readonly ClientStep[];
}

/** A name and a value, as the detail panel lists them. */
export type ClientFact = readonly [name: string, value: string];

/** A cell of the table of sites: its text, and the number to sort by. */
export type ClientCell = readonly [text: string, value: number | null];

/** What the script of a page knows of one site. */
export interface ClientSite {
  /** Lines of the detail panel that hold at every step. */
  readonly facts: readonly ClientFact[];
  /** Which of `states` the site is in, by step; none where steps do not matter to it. */
  readonly at: readonly number[];
  readonly states: readonly ClientState[];
  /** Numbers that have a value of their own at each step. */
  readonly series: readonly ClientSeries[];
}

/** A number of a site, step by step: a line of the detail panel, and a column of the table of sites. */
export interface ClientSeries {
  readonly key: string;
  readonly name: string;
  readonly values: readonly string[];
}

/** One of the few states that a site is in over a run. */
export interface ClientState {
  /** Text in the cell. */
  readonly label: string;
  /** 0 to 1, for the colour. */
  readonly shade: number;
  readonly facts: readonly ClientFact[];
  /** Columns of the table of sites that change, by their keys. */
  readonly columns: Readonly<Record<string, ClientCell>>;
}

/** One step: its line above the map, and the figures beside it. */
export interface ClientStep {
  readonly title: string;
  readonly figures: readonly string[];
}
