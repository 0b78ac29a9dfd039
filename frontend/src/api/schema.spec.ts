import openapiTS, { astToString } from "openapi-typescript";
import { expect, it } from "vitest";

import description from "../../../docs/openapi.yaml?raw";
import generated from "./schema.d.ts?raw";

it("is what npm run api makes of the checked-in description", async () => {
  const fresh = astToString(await openapiTS(description));
  expect(generated.slice(generated.indexOf("export interface"))).toBe(fresh.slice(fresh.indexOf("export interface")));
});
