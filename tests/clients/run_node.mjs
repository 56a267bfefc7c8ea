// A client: ONNX Runtime in Node.js (onnxruntime-node), or as browsers have it, in WebAssembly
// (onnxruntime-web). node run_node.mjs PACKAGE CASES RESULTS FILE ...; protocol.py says what it gives.
import { appendFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

const [name, casesFile, results, ...files] = process.argv.slice(2);
const find = createRequire(join(process.env.CLIENTS_NODE, "package.json"));
const runtime = find(name);
const version = JSON.parse(readFileSync(join(process.env.CLIENTS_NODE, "node_modules", name, "package.json"))).version;
const providers = [name === "onnxruntime-web" ? "wasm" : "cpu"];
if (name === "onnxruntime-web") runtime.env.wasm.numThreads = 1;
const KINDS = { float32: Float32Array, int32: Int32Array, int64: BigInt64Array };

const cases = JSON.parse(readFileSync(casesFile));
const tell = (line) => appendFileSync(results, JSON.stringify(line) + "\n");

async function run(path, spec) {
  const session = await runtime.InferenceSession.create(readFileSync(path), {
    executionProviders: providers,
    intraOpNumThreads: 1,
  });
  const inputs = Object.entries(spec.inputs).map(([input, { shape, dtype }]) => {
    const bytes = readFileSync(join(dirname(path), `${input}.bin`));
    return [input, shape, dtype, new KINDS[dtype](new Uint8Array(bytes).buffer)];
  });
  const rows = [];
  for (let number = 0; number < spec.samples; number++) {
    const feeds = {};
    for (const [input, shape, dtype, values] of inputs) {
      const size = values.length / spec.samples;
      feeds[input] = new runtime.Tensor(dtype, values.slice(number * size, (number + 1) * size), shape);
    }
    const answer = await session.run(feeds);
    rows.push(spec.outputs.map((output) => Float32Array.from(answer[output].data)));
  }
  return rows;
}

tell({ versions: { [name]: version, node: process.versions.node } });
for (const file of files) {
  const path = join(dirname(casesFile), file);
  const spec = cases[file.split("/")[0]];
  tell({ begins: file });
  try {
    const rows = await run(path, spec);
    const folder = join(dirname(results), file.replaceAll(".", "_"));
    mkdirSync(folder, { recursive: true });
    spec.outputs.forEach((_, at) => {
      writeFileSync(join(folder, `${at}.bin`), Buffer.concat(rows.map((row) => Buffer.from(row[at].buffer))));
    });
    tell({ file });
  } catch (error) {
    tell({ file, error: String(error) });
  }
}
