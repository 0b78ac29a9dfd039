import js from "@eslint/js";
import tseslint from "typescript-eslint";

const cornerstoneBoundary = {
  group: ["@cornerstonejs/*"],
  message: "Only src/viewer may know Cornerstone: ask it for what you need.",
};

const viewerBoundary = {
  group: ["**/viewer/*"],
  message: "Import what you need from src/viewer itself; its inner files may change.",
};

export default tseslint.config(
  { ignores: ["dist/", "node_modules/", "src/api/schema.d.ts", "eslint.config.js"] },
  js.configs.recommended,
  tseslint.configs.strictTypeChecked,
  tseslint.configs.stylisticTypeChecked,
  {
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true }],
      "max-lines": ["error", 450],
      "max-lines-per-function": ["error", { max: 60, skipComments: true, skipBlankLines: true }],
      eqeqeq: "error",
    },
  },
  {
    files: ["src/**/*.ts"],
    ignores: ["src/viewer/**"],
    rules: { "no-restricted-imports": ["error", { patterns: [cornerstoneBoundary, viewerBoundary] }] },
  },
  {
    files: ["src/core/**/*.ts"],
    ignores: ["src/core/**/*.spec.ts"],
    rules: {
      "no-restricted-imports": [
        "error",
        {
          patterns: [
            cornerstoneBoundary,
            { group: ["../*"], message: "src/core is pure: it imports nothing but its own files." },
          ],
        },
      ],
      "no-restricted-globals": [
        "error",
        ...[
          "window",
          "document",
          "fetch",
          "localStorage",
          "sessionStorage",
          "performance",
          "navigator",
          "indexedDB",
        ].map((name) => ({ name, message: "src/core is pure: clocks, storage and the network are handed in." })),
      ],
    },
  },
  { files: ["src/**/*.spec.ts"], rules: { "max-lines-per-function": "off" } },
);
