/** The one style sheet of all pages: light and dark by the reader's preference, and for paper. */
export const STYLE = `
:root {
  color-scheme: light dark;
  --paper: #fbfcfd; --card: #ffffff; --ink: #1c2329; --quiet: #5a6670; --line: #d8dee4; --accent: #0b7268;
  --cold: #eceff2; --hot: #26b3a4; --cross: #c9b8e6; --plain: #9a6a3c; --patched: #0b7f74; --warn: #a8322a;
  --added: #8fd19e; --removed: #efa3a0; --changed: #f2d27a;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #14181c; --card: #1b2026; --ink: #e4e9ee; --quiet: #a0acb7; --line: #343d46; --accent: #4fd3c4;
    --cold: #2b3138; --hot: #0e857a; --cross: #5d4b80; --plain: #d39b62; --patched: #3fc7b8; --warn: #ff9a90;
    --added: #2c7a44; --removed: #8c3a37; --changed: #7d651b;
  }
}
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem; max-width: 84rem; background: var(--paper); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
h1 { font-size: 1.35rem; margin: 0 0 .25rem; overflow-wrap: anywhere; }
h2 { font-size: 1.05rem; margin: 0 0 .6rem; }
p { margin: .25rem 0 .75rem; }
.quiet { color: var(--quiet); }
.warn { color: var(--warn); }
section { background: var(--card); border: 1px solid var(--line); border-radius: .6rem; padding: 1rem 1.1rem; margin: 1rem 0; }
.side { display: grid; gap: 1rem; grid-template-columns: minmax(0, 1fr) minmax(16rem, 20rem); align-items: start; }
.side > * { min-width: 0; }
.side.wide { grid-template-columns: minmax(0, 1fr); } .wide dl { grid-template-columns: repeat(3, max-content minmax(0, 1fr)); }
.plots { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fit, minmax(25rem, 1fr)); }
.figures { display: flex; flex-wrap: wrap; gap: .4rem 2rem; margin: .4rem 0 0; padding: 0; list-style: none; }
.figures b { display: block; font-size: 1.25rem; font-variant-numeric: tabular-nums; }
svg { display: block; max-width: 100%; height: auto; }
svg.sub { max-width: none; }
svg text { font: 11px system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; fill: var(--ink); }
svg .quiet { fill: var(--quiet); color: var(--quiet); }
.box { fill: none; stroke: var(--line); }
.empty { stroke-dasharray: 3 4; }
.flow { fill: none; stroke: var(--quiet); stroke-width: 1.4; }
.skip { fill: none; stroke: var(--line); stroke-width: 1.4; stroke-dasharray: 4 5; }
.cell { cursor: pointer; outline: none; }
.cell rect { fill: color-mix(in oklab, var(--hot) calc(var(--v, 0) * 100%), var(--cold)); stroke: var(--line); }
.cell.cross rect { fill: var(--cross); }
.cell.added rect { fill: var(--added); } .cell.removed rect { fill: var(--removed); } .cell.changed rect { fill: var(--changed); }
.cell text { text-anchor: middle; pointer-events: none; font-variant-numeric: tabular-nums; }
.cell:hover rect { stroke: var(--ink); }
.cell:focus-visible rect, .cell.chosen rect { stroke: var(--accent); stroke-width: 2.5; }
.heat rect { fill: color-mix(in oklab, var(--hot) calc(var(--v, 0) * 100%), var(--cold)); stroke: var(--card); }
.ramp { display: inline-block; width: 9rem; height: .8rem; border: 1px solid var(--line); vertical-align: -.1rem;
  background: linear-gradient(to right in oklab, var(--cold), var(--hot)); }
.swatch { display: inline-block; width: .8rem; height: .8rem; border: 1px solid var(--line); margin: 0 .3rem 0 .9rem; vertical-align: -.1rem; }
.grid { stroke: var(--line); } .plain { stroke: var(--plain); fill: none; stroke-width: 1.8; stroke-dasharray: 5 4; }
.patched { stroke: var(--patched); fill: none; stroke-width: 2; } .area { fill: var(--patched); opacity: .16; stroke: none; }
.now { stroke: var(--accent); stroke-width: 1.5; }
.steps { display: flex; flex-wrap: wrap; gap: .4rem 1rem; align-items: center; position: sticky; top: 0; z-index: 2; }
.steps input { flex: 1 1 16rem; accent-color: var(--accent); }
.steps output { font-variant-numeric: tabular-nums; min-width: 21rem; }
dl { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: .15rem .8rem; margin: 0; }
dt { color: var(--quiet); } dd { margin: 0; overflow-wrap: anywhere; font-variant-numeric: tabular-nums; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: max-content; min-width: 100%; font-variant-numeric: tabular-nums; font-size: .87rem; }
th, td { padding: .22rem .6rem .22rem 0; text-align: left; vertical-align: top; border-bottom: 1px solid var(--line); }
th { position: relative; white-space: nowrap; color: var(--quiet); font-weight: 600; }
td.number, th.number { text-align: right; white-space: nowrap; }
td.name { overflow-wrap: break-word; max-width: 36rem; }
th button { all: unset; cursor: pointer; } th button:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
th[aria-sort=ascending] button::after { content: " \\2191"; } th[aria-sort=descending] button::after { content: " \\2193"; }
tr.chosen td { background: color-mix(in oklab, var(--accent) 14%, transparent); }
a { color: var(--accent); }
@media (max-width: 60rem) { .plots { grid-template-columns: minmax(0, 1fr); } .wide dl { grid-template-columns: max-content minmax(0, 1fr); } .side { grid-template-columns: minmax(0, 1fr); } }
@media print {
  :root { color-scheme: light; --paper: #fff; --card: #fff; --ink: #000; --quiet: #444; --line: #bbb; --accent: #0b7268;
    --cold: #eceff2; --hot: #26b3a4; --cross: #c9b8e6; --plain: #9a6a3c; --patched: #0b7f74;
    --added: #8fd19e; --removed: #efa3a0; --changed: #f2d27a; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  body { padding: 0; max-width: none; font-size: 11px; }
  section { border: 0; padding: 0; margin: 0 0 1rem; }
  .steps label, .steps input, .now, .detail, .help { display: none; }
  .steps { position: static; } .side { display: block; } .scroll { overflow: visible; }
  section.figure, tr { break-inside: avoid; } h2 { break-after: avoid; }
}
`.trim();
