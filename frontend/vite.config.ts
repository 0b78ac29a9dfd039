import { defineConfig } from "vitest/config";

export default defineConfig({
  base: "/static/app/",
  resolve: {
    alias: [
      // vtk.js reads XML files with it; the package needs Node's "events" and crashes a browser build at start.
      { find: /^xmlbuilder2$/, replacement: new URL("src/stubs/xmlbuilder2.ts", import.meta.url).pathname },
    ],
  },
  worker: { format: "es" },
  build: {
    target: "es2022",
    manifest: true,
    outDir: "dist",
    emptyOutDir: true,
    chunkSizeWarningLimit: 4000,
    rolldownOptions: {
      // htmx can evaluate expressions in attributes; the pages switch that off (allowEval) and the CSP forbids it.
      checks: { eval: false },
      input: [
        "src/base.ts",
        "src/pages/scan.ts",
        "src/pages/review.ts",
        "src/pages/rate.ts",
        "src/pages/upload.ts",
        "src/pages/imported.ts",
        "src/pages/atlas.ts",
        "src/pages/choose.ts",
      ],
    },
  },
  server: { port: 5173, strictPort: true, origin: "http://localhost:5173" },
  // The time is only against hanging.
  test: { include: ["src/**/*.spec.ts"], environment: "node", testTimeout: 60_000 },
});
