// Bundles the views into the package: one module and one style sheet, nothing loaded at run time.
import { build } from "esbuild";

const out = process.argv[2] ?? "../statefun_nb/views/static";

await build({
  entryPoints: { dashboard: "src/index.tsx" },
  outdir: out,
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2022",
  jsx: "automatic",
  jsxImportSource: "preact",
  legalComments: "linked",
  logLevel: "warning",
});
