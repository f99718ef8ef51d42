"""How the reference page looks: on a wide screen, on a phone, in the dark and on paper."""

from typing import Final

CSS: Final = """
:root { color-scheme: light dark; --ink: #1c2126; --dim: #5b6570; --line: #d9dee3; --soft: #f4f6f8;
  --link: #0b57a4; --get: #0a6b3d; --post: #0b57a4; --patch: #8a5300; --delete: #a3211b; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e4e8ec; --dim: #9aa5b1; --line: #38414a; --soft: #1d2329; --link: #7db8f5;
    --get: #5cc992; --post: #7db8f5; --patch: #e0a752; --delete: #f08a84; }
  body { background: #14181c; } }
* { box-sizing: border-box; }
body { margin: 0; color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
a { color: var(--link); text-decoration: none; }
a:hover { text-decoration: underline; }
code, pre { font: 0.875em/1.5 ui-monospace, "DejaVu Sans Mono", monospace; }
code { overflow-wrap: anywhere; }
pre { margin: 0.5rem 0 1rem; padding: 0.75rem; background: var(--soft); border-radius: 6px;
  white-space: pre-wrap; overflow-wrap: anywhere; }
header, main, nav { padding: 1rem; }
main { max-width: 52rem; }
h1 { margin: 0; font-size: 1.75rem; }
h2 { margin: 2.5rem 0 0.5rem; padding-top: 1rem; border-top: 2px solid var(--line); }
h3 { margin: 2rem 0 0.25rem; }
h4 { margin: 1rem 0 0.25rem; color: var(--dim); font-size: 0.8rem; text-transform: uppercase;
  letter-spacing: 0.04em; }
p { margin: 0.5rem 0; }
nav ul { margin: 0; padding: 0; list-style: none; }
nav > ul > li { margin: 0.25rem 0; }
nav ul ul { display: none; }
.route { padding: 0.5rem 0.75rem; background: var(--soft); border-radius: 6px; }
.method { font-weight: 700; }
.get { color: var(--get); } .post { color: var(--post); }
.put, .patch { color: var(--patch); } .delete { color: var(--delete); }
.note { color: var(--dim); font-size: 0.875rem; }
dl { margin: 0.25rem 0 1rem; }
dt { margin-top: 0.5rem; }
dd { margin: 0 0 0 1rem; }
.answers dt, .answers dd { display: inline; margin: 0 0.5rem 0 0; }
.answers dd::after { content: "\\A"; white-space: pre; }
@media (min-width: 60rem) {
  body { display: grid; grid-template-columns: 19rem minmax(0, 1fr); }
  header { grid-column: 1 / -1; border-bottom: 1px solid var(--line); }
  nav { position: sticky; top: 0; height: 100vh; overflow-y: auto; font-size: 0.875rem;
    border-right: 1px solid var(--line); }
  nav ul ul { display: block; padding-left: 0.75rem; }
  main { padding: 1rem 2rem; } }
@media print {
  :root { color-scheme: light; --ink: #000; --dim: #444; --line: #999; --soft: #f4f4f4;
    --link: #000; --get: #000; --post: #000; --patch: #000; --delete: #000; }
  body { display: block; background: #fff; font-size: 10pt; }
  nav { display: none; }
  main { max-width: none; }
  h3, h4, .route { break-after: avoid; }
  dt { break-after: avoid; } }
"""
