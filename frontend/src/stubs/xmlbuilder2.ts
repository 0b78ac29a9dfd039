/** Stands in for a package that only vtk.js' XML readers use; see vite.config.ts. */
export function create(): never {
  throw new Error("XML files are not read in the browser.");
}
