/** How the page of a sweep looks, in light and in dark. */
export const PAGE_STYLE = `
:root { color-scheme: light dark; --back: #fff; --ink: #1c1c22; --soft: #5d5d68; --line: #d8d8de; }
@media (prefers-color-scheme: dark) { :root { --back: #16161a; --ink: #ececf0; --soft: #a0a0ac; --line: #3a3a42; } }
body { background: var(--back); color: var(--ink); font: 14px/1.45 system-ui, sans-serif; margin: 24px; }
h1 { font-size: 20px; margin: 0 0 8px; }
p { color: var(--soft); margin: 0 0 8px; max-width: 80ch; }
.stopped { color: #c2410c; }
section { display: flex; gap: 16px; overflow-x: auto; padding: 12px 0; border-top: 1px solid var(--line); }
figure { margin: 0; flex: none; }
img { display: block; image-rendering: pixelated; outline: 1px solid var(--line); }
figcaption { padding-top: 6px; overflow-wrap: anywhere; }
table { border-collapse: collapse; font-size: 12px; width: 100%; }
th { text-align: left; font-weight: normal; color: var(--soft); padding: 0 8px 0 0; white-space: nowrap; }
td { text-align: right; font-variant-numeric: tabular-nums; }
details, figcaption p { font-size: 12px; color: var(--soft); }
`;
