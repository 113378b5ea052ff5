// Validates an AsyncAPI document with the parser of the AsyncAPI Initiative.
// Usage: node validate.mjs FOLDER_WITH_NODE_MODULES DOCUMENT
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { resolve } from "node:path";

const [folder, document] = process.argv.slice(2).map((path) => resolve(path));
const { Parser } = createRequire(`${folder}/package.json`)("@asyncapi/parser");
const diagnostics = await new Parser().validate(await readFile(document, "utf-8"));
// 0 is an error, 1 a warning; what follows is advice.
const faults = diagnostics.filter(({ severity }) => severity <= 1);
for (const { severity, code, path, message } of faults) {
  console.error(`${severity ? "warning" : "error"} ${code} at ${path.join(".")}: ${message}`);
}
console.log(JSON.stringify({ faults: faults.length, advice: diagnostics.length - faults.length }));
process.exitCode = faults.length ? 1 : 0;
